#!/usr/bin/python

# Copyright (c) 2026, raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kafka_topics
short_description: Create, change and delete topics
version_added: 0.1.0
description:
  - Brings all declared topics to their declared state, in one task over one connection and without starting a JVM.
  - Topics that are not declared are left alone. Nothing is applied to any topic if one of them is refused.
  - Waits until every partition of a new or grown topic has a leader and the brokers show what was applied.
author: raspi.kafka contributors (@raspi-kafka)
extends_documentation_fragment:
  - raspi.kafka._kafka
  - raspi.kafka._attributes
  - raspi.kafka._attributes.kafka
options:
  topics:
    description: The declared topics. A name can stand here only once.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - Name of the topic. Up to 249 letters, digits, C(.), C(_) and C(-).
          - Two topics whose names differ only in C(.) and C(_) are refused, because their metrics collide.
        type: str
        required: true
      purpose:
        description: What the topic is for, in words. For the reader of the declaration; Kafka does not store it.
        type: str
      partitions:
        description:
          - Number of partitions. More than exist are added. Fewer are refused, because Kafka cannot remove a partition.
          - If left out, a new topic gets C(num.partitions) of the broker, and an existing one keeps what it has.
        type: int
      replication_factor:
        description:
          - Number of replicas of each partition of a new topic. If left out, C(default.replication.factor) of the
            broker.
          - If it differs from that of an existing topic, the task is refused, because changing it moves data.
        type: int
      configs:
        description:
          - Topic configs to own, by name. Only the names that stand here are ever set or reset.
          - A value of C(null) resets the config, so that the default of the cluster holds again.
          - What was set by others and does not stand here stays, and is returned as RV(topics[].foreign_configs).
          - Booleans, numbers and lists are written as Kafka stores them (C(true), C(604800000), C(compact,delete)).
        type: dict
        default: {}
      state:
        description: V(absent) deletes the topic with its records.
        type: str
        choices: [present, absent]
        default: present
      internal:
        description:
          - Needed for a name that starts with C(__). Kafka and its clients keep their own state in such topics.
        type: bool
        default: false
notes:
  - Run it once for a cluster, for example with C(run_once), not once for each broker.
seealso:
  - module: raspi.kafka.kafka_cluster_config
  - module: raspi.kafka.kafka_cluster_info
"""

EXAMPLES = r"""
- name: Two topics as declared
  raspi.kafka.kafka_topics:
    bootstrap_servers: ["192.168.1.20:9092"]
    topics:
      - name: telemetry
        partitions: 6
        replication_factor: 1
        configs:
          retention.ms: 604800000
          cleanup.policy: [compact, delete]
      - name: alerts
        partitions: 1
  run_once: true

- name: Reset a config to the default of the cluster and delete another topic
  raspi.kafka.kafka_topics:
    bootstrap_servers: ["192.168.1.20:9092"]
    topics:
      - name: telemetry
        configs:
          retention.ms: null
      - name: scratch
        state: absent
  run_once: true
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be done, one sentence for each change.
  returned: success
  type: list
  elements: str
  sample:
    - create topic telemetry with 6 partitions and replication factor 1
    - set retention.ms=1000 of topic alerts (was 2000)
created:
  description: Names of created topics.
  returned: success
  type: list
  elements: str
  sample: [telemetry]
grown:
  description: Topics that got more partitions.
  returned: success
  type: list
  elements: dict
  sample: [{"name": "telemetry", "from": 6, "to": 12}]
altered:
  description: Configs that were set, or reset where the value is null, by topic.
  returned: success
  type: dict
  sample: {"alerts": {"retention.ms": "1000"}}
deleted:
  description: Names of deleted topics.
  returned: success
  type: list
  elements: str
  sample: [scratch]
topics:
  description: Each declared topic that exists at the end of the task, or in check mode would exist.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the topic.
      type: str
      returned: always
      sample: telemetry
    partitions:
      description: Number of partitions; null in check mode if the broker would choose it.
      type: int
      returned: always
      sample: 6
    replication_factor:
      description: Number of replicas of each partition; null in check mode if the broker would choose it.
      type: int
      returned: always
      sample: 1
    configs:
      description: The owned configs and their values; null stands for the default of the cluster.
      type: dict
      returned: always
      sample: {"retention.ms": "604800000", "cleanup.policy": "compact,delete"}
    foreign_configs:
      description: Dynamic configs of the topic that this task does not own, and keeps.
      type: dict
      returned: always
      sample: {"segment.bytes": "1048576"}
refused:
  description: Every reason why the declared topics cannot be had. Nothing was changed.
  returned: when a declaration is refused
  type: list
  elements: str
  sample: [Topic telemetry has 6 partitions, not the declared 3. Kafka cannot remove partitions.]
reason:
  description: Kind of the failure, for a play to decide on.
  returned: failure
  type: str
  sample: refused
"""

import difflib
import re
import typing as t
from dataclasses import dataclass, field

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.raspi.kafka.plugins.module_utils._kafka import (
    CONNECTION_ARGSPEC,
    DYNAMIC_TOPIC_CONFIG,
    TOPIC,
    ConfigEntry,
    ExpectedError,
    admin_client,
    alter_configs,
    canonical,
    config_text,
    converge,
    describe_configs,
    explain_code,
    refuse,
    run,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kafka.admin import KafkaAdminClient

TOPIC_ARGSPEC = {
    "name": {"type": "str", "required": True},
    "purpose": {"type": "str"},
    "partitions": {"type": "int"},
    "replication_factor": {"type": "int"},
    "configs": {"type": "dict", "default": {}},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "internal": {"type": "bool", "default": False},
}
LEGAL_NAME = re.compile(r"[a-zA-Z0-9._-]{1,249}")
UNKNOWN_TOPIC = 3  # error code


@dataclass(frozen=True)
class Wanted:
    """A declared topic; a config of None is to be reset."""

    name: str
    partitions: int | None = None
    replication_factor: int | None = None
    configs: dict[str, str | None] = field(default_factory=dict)
    present: bool = True
    internal: bool = False


@dataclass(frozen=True)
class Current:
    """An existing topic as the brokers show it; entries holds every config a topic can have."""

    partitions: int
    replication_factors: frozenset[int]
    leaderless: tuple[int, ...] = ()
    entries: Mapping[str, ConfigEntry] = field(default_factory=dict)

    @property
    def dynamic(self) -> dict[str, str | None]:
        return {key: entry.value for key, entry in self.entries.items() if entry.source == DYNAMIC_TOPIC_CONFIG}


@dataclass
class Plan:
    """The difference between what exists and what is declared."""

    create: list[Wanted] = field(default_factory=list)
    grow: dict[str, tuple[int, int]] = field(default_factory=dict)
    alter: dict[str, dict[str, str | None]] = field(default_factory=dict)
    delete: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return bool(self.create or self.grow or self.alter or self.delete)


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def parse(topics: Iterable[Mapping[str, t.Any]]) -> list[Wanted]:
    return [
        Wanted(
            name=topic["name"],
            partitions=topic["partitions"],
            replication_factor=topic["replication_factor"],
            configs={str(key): config_text(value) for key, value in (topic["configs"] or {}).items()},
            present=topic["state"] == "present",
            internal=topic["internal"],
        )
        for topic in topics
    ]


def check_names(wanted: list[Wanted], existing: Iterable[str]) -> list[str]:
    """What is wrong with the names, among each other and against the topics that exist."""
    refused = []
    names = [topic.name for topic in wanted]
    refused += [
        f"Topic {name} is declared more than once: keep one." for name in sorted(set(names)) if names.count(name) > 1
    ]
    for name in names:
        if not LEGAL_NAME.fullmatch(name) or name in (".", ".."):
            refused.append(
                f"{name!r} cannot be the name of a topic: use 1 to 249 letters, digits, '.', '_' and '-', "
                "and more than one or two dots."
            )
    refused += [
        f"Topic {topic.name} starts with __, as do the topics in which Kafka keeps its own state. "
        "If that is meant, say internal: true."
        for topic in wanted
        if topic.name.startswith("__") and not topic.internal
    ]
    return refused + check_collisions(wanted, existing)


def check_collisions(wanted: list[Wanted], existing: Iterable[str]) -> list[str]:
    absent = {topic.name for topic in wanted if not topic.present}
    present = {topic.name for topic in wanted if topic.present}
    taken: dict[str, set[str]] = {}
    for name in (set(existing) - absent) | present:
        taken.setdefault(name.replace(".", "_"), set()).add(name)
    return [
        f"Topic {name} collides with {', '.join(sorted(same - {name}))}: "
        "Kafka does not tell '.' and '_' apart in metric names. Choose another name."
        for name in sorted(present - set(existing))
        if len(same := taken[name.replace(".", "_")]) > 1
    ]


def check_numbers(topic: Wanted, current: Current | None) -> list[str]:
    refused = []
    for what, number in (("partitions", topic.partitions), ("replication_factor", topic.replication_factor)):
        if number is not None and number < 1:
            refused.append(f"Topic {topic.name} declares {what}: {number}. Declare at least 1, or leave it out.")
    if refused or current is None:
        return refused
    if topic.partitions is not None and topic.partitions < current.partitions:
        refused.append(
            f"Topic {topic.name} has {counted(current.partitions, 'partition')}, not the declared {topic.partitions}. "
            f"Kafka cannot remove partitions: declare at least {current.partitions}, or delete the topic with its "
            "records (state: absent) and create it anew."
        )
    if topic.replication_factor is not None and current.replication_factors != {topic.replication_factor}:
        has = " and ".join(str(factor) for factor in sorted(current.replication_factors))
        refused.append(
            f"Topic {topic.name} has replication factor {has}, not the declared {topic.replication_factor}. Changing "
            f"it moves data, which this module does not do: declare {has}, or give it more by kafka_replicas."
        )
    return refused


def check_configs(topic: Wanted, known: Mapping[str, ConfigEntry]) -> list[str]:
    """Names of configs that no topic has, with what may have been meant."""
    refused = []
    for key in topic.configs:
        if not known or key in known:
            continue
        close = difflib.get_close_matches(key, known, n=1)
        meant = (
            f"Do you mean {close[0]}?" if close else "Look it up under 'Topic Configs' in the documentation of Kafka."
        )
        refused.append(f"Topic {topic.name} declares {key}, which is no config of a topic. {meant}")
    return refused


def plan_configs(topic: Wanted, current: Current) -> dict[str, str | None]:
    """Owned configs that differ; a declared value is owned even if it equals the default."""
    changes: dict[str, str | None] = {}
    dynamic = current.dynamic
    for key, value in topic.configs.items():
        kind = current.entries[key].type if key in current.entries else 0
        if value is None:
            if key in dynamic:
                changes[key] = None
        elif key not in dynamic or canonical(dynamic[key], kind) != canonical(value, kind):
            changes[key] = value
    return changes


def plan(current: Mapping[str, Current | None], wanted: list[Wanted]) -> Plan:
    """The changes that lead from `current` to `wanted`; raises ExpectedError with every refusal.

    `current` holds every topic of the cluster; those that are not declared may be None.
    """
    refused = check_names(wanted, current)
    result = Plan()
    for topic in wanted:
        exists = current.get(topic.name)
        if not topic.present:
            if exists is not None:
                result.delete.append(topic.name)
            continue
        refused += check_numbers(topic, exists)
        if exists is None:
            result.create.append(topic)
            continue
        refused += check_configs(topic, exists.entries)
        if topic.partitions is not None and topic.partitions > exists.partitions:
            result.grow[topic.name] = (exists.partitions, topic.partitions)
        if changes := plan_configs(topic, exists):
            result.alter[topic.name] = changes
    refuse(refused)
    return result


def read(admin: KafkaAdminClient, wanted: list[Wanted]) -> dict[str, Current | None]:
    """Every topic of the cluster; those that are declared with their configs, the others as None."""
    declared = {topic.name for topic in wanted}
    found = [topic for topic in admin.describe_topics() if topic["error_code"] != UNKNOWN_TOPIC]
    entries = describe_configs(admin, TOPIC, [topic["name"] for topic in found if topic["name"] in declared])
    return {
        topic["name"]: current_topic(topic, entries[topic["name"]]) if topic["name"] in declared else None
        for topic in found
    }


def current_topic(topic: Mapping[str, t.Any], entries: Mapping[str, ConfigEntry]) -> Current:
    partitions = topic["partitions"]
    return Current(
        partitions=len(partitions),
        replication_factors=frozenset(len(partition["replica_nodes"]) for partition in partitions),
        leaderless=tuple(partition["partition_index"] for partition in partitions if partition["leader_id"] < 0),
        entries=entries,
    )


def creation(topics: list[Wanted]) -> dict[str, dict[str, t.Any]]:
    """What KafkaAdminClient.create_topics() takes; -1 leaves a number to the broker."""
    return {
        topic.name: {
            "num_partitions": topic.partitions or -1,
            "replication_factor": topic.replication_factor or -1,
            "configs": {key: value for key, value in topic.configs.items() if value is not None},
        }
        for topic in topics
    }


def apply(admin: KafkaAdminClient, changes: Plan, validate_only: bool) -> None:
    """The only writer. With validate_only the brokers judge the creations, additions and configs, and do nothing."""
    refused = []
    if changes.create:
        answer = admin.create_topics(creation(changes.create), validate_only=validate_only, raise_errors=False)
        refused += refusals("create", ((x["name"], x["error_code"], x["error_message"]) for x in answer["topics"]))
    if changes.grow:
        counts = {name: to for name, (_was, to) in changes.grow.items()}
        response = admin.create_partitions(counts, validate_only=validate_only, raise_errors=False)
        refused += refusals("add partitions to", ((x.name, x.error_code, x.error_message) for x in response.results))
    answers = alter_configs(admin, TOPIC, changes.alter, validate_only)
    refused += [f"Cannot set the configs of topic {name}: {text}" for name, text in answers.items()]
    if changes.delete and not validate_only:
        answer = admin.delete_topics(changes.delete, raise_errors=False)
        refused += refusals("delete", ((x["name"], x["error_code"], x["error_message"]) for x in answer["topics"]))
    if validate_only:
        refuse(refused)
    elif refused:
        raise ExpectedError(f"{' '.join(refused)} Other changes of this task may have been made.", reason="failed")


def refusals(action: str, answers: Iterable[tuple[str, int, str | None]]) -> list[str]:
    return [f"Cannot {action} topic {name}: {explain_code(code, text)}" for name, code, text in answers if code]


def unsettled(current: Mapping[str, Current | None], wanted: list[Wanted], applied: Plan) -> list[str]:
    """What the brokers do not show yet of the changes just applied."""
    left = describe(plan(current, wanted), current)
    for name in [topic.name for topic in applied.create] + list(applied.grow):
        topic = current.get(name)
        if topic is not None and topic.leaderless:
            left.append(f"wait for a leader of partition {', '.join(map(str, topic.leaderless))} of topic {name}")
    return left


def describe(changes: Plan, current: Mapping[str, Current | None]) -> list[str]:
    """The plan in sentences."""
    actions = []
    for topic in changes.create:
        partitions = counted(topic.partitions, "partition") if topic.partitions else "the default number of partitions"
        factor = f"replication factor {topic.replication_factor or 'as by default'}"
        actions.append(f"create topic {topic.name} with {partitions} and {factor}")
    for name, (was, to) in changes.grow.items():
        actions.append(f"add partitions to topic {name}, from {was} to {to}")
    for name, configs in changes.alter.items():
        exists = current.get(name)
        dynamic = exists.dynamic if exists else {}
        for key, value in configs.items():
            was = dynamic.get(key, "the default")
            done = f"reset {key}" if value is None else f"set {key}={value}"
            actions.append(f"{done} of topic {name} (was {was})")
    actions += [f"delete topic {name}" for name in changes.delete]
    return actions


def shown(topic: Current) -> dict[str, t.Any]:
    factors = topic.replication_factors
    return {"partitions": topic.partitions, "replication_factor": min(factors) if factors else None}


def before(current: Mapping[str, Current | None], wanted: list[Wanted]) -> dict[str, t.Any]:
    """The managed part of what exists, for the diff."""
    return {
        topic.name: {**shown(exists), "configs": {key: exists.dynamic.get(key) for key in topic.configs}}
        for topic in wanted
        if (exists := current.get(topic.name)) is not None
    }


def after(current: Mapping[str, Current | None], wanted: list[Wanted], changes: Plan) -> dict[str, t.Any]:
    """before() with the plan carried out."""
    result = before(current, wanted)
    for topic in changes.create:
        result[topic.name] = {
            "partitions": topic.partitions,
            "replication_factor": topic.replication_factor,
            "configs": dict(topic.configs),
        }
    for name, (_was, to) in changes.grow.items():
        result[name]["partitions"] = to
    for name, configs in changes.alter.items():
        result[name]["configs"].update(configs)
    for name in changes.delete:
        del result[name]
    return result


def topics_result(
    state: Mapping[str, t.Any], current: Mapping[str, Current | None], wanted: list[Wanted]
) -> list[dict[str, t.Any]]:
    owned = {topic.name: topic.configs for topic in wanted}
    result = []
    for name, values in state.items():
        exists = current.get(name)
        dynamic = exists.dynamic if exists else {}
        foreign = {key: value for key, value in sorted(dynamic.items()) if key not in owned[name]}
        result.append({"name": name, **values, "foreign_configs": foreign})
    return result


def work(module: AnsibleModule) -> dict[str, t.Any]:
    wanted = parse(module.params["topics"])
    with admin_client(module.params) as admin:
        current = read(admin, wanted)
        changes = plan(current, wanted)
        state = after(current, wanted, changes)
        diff = {"before": before(current, wanted), "after": state}
        actions = describe(changes, current)
        if changes.changed:
            apply(admin, changes, validate_only=True)
        if changes.changed and not module.check_mode:
            apply(admin, changes, validate_only=False)
            current = converge(
                lambda: read(admin, wanted), lambda found: unsettled(found, wanted, changes), module.params
            )
            state = before(current, wanted)
    return {
        "changed": changes.changed,
        "actions": actions,
        "created": [topic.name for topic in changes.create],
        "grown": [{"name": name, "from": was, "to": to} for name, (was, to) in changes.grow.items()],
        "altered": changes.alter,
        "deleted": changes.delete,
        "topics": topics_result(state, current, wanted),
        "diff": diff,
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CONNECTION_ARGSPEC,
            "topics": {"type": "list", "elements": "dict", "required": True, "options": TOPIC_ARGSPEC},
        },
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
