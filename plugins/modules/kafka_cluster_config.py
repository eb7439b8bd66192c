#!/usr/bin/python

# Copyright (c) 2026, raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kafka_cluster_config
short_description: Set the dynamic configs that hold for all brokers of a cluster
version_added: 0.1.0
description:
  - Brings cluster-wide dynamic broker configs to their declared values. They hold for every broker, without a restart,
    and win over C(server.properties).
  - This is the only place for C(min.insync.replicas) since Kafka 4.1. With eligible leader replicas (ELR), its value at
    the time of the format becomes such a config, and C(server.properties) is not looked at any more.
author: raspi.kafka contributors (@raspi-kafka)
extends_documentation_fragment:
  - raspi.kafka._kafka
  - raspi.kafka._attributes
  - raspi.kafka._attributes.kafka
options:
  configs:
    description:
      - Broker configs to own, by name. Only the names that stand here are ever set or reset.
      - A value of C(null) resets the config, so that C(server.properties) of each broker or the default of Kafka holds.
      - Configs that are set and do not stand here stay, and are returned as RV(foreign_configs).
      - Refused are names that no broker knows (Kafka itself would take them silently), configs that can only be changed
        in C(server.properties), and passwords, because Kafka does not say whether they differ.
    type: dict
    required: true
notes:
  - Run it once for a cluster, for example with C(run_once), not once for each broker.
  - A config that is set for one broker alone wins over the one that is set here.
seealso:
  - module: raspi.kafka.kafka_topics
"""

EXAMPLES = r"""
- name: Two of three replicas have to have a record before it is acknowledged
  raspi.kafka.kafka_cluster_config:
    bootstrap_servers: ["192.168.1.20:9092", "192.168.1.21:9092"]
    configs:
      min.insync.replicas: 2
      log.retention.ms: null
  run_once: true
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be done, one sentence for each change.
  returned: success
  type: list
  elements: str
  sample: ["set min.insync.replicas=2 for all brokers (was 1)"]
altered:
  description: Configs that were set, or reset where the value is null.
  returned: success
  type: dict
  sample: {"min.insync.replicas": "2"}
configs:
  description: The owned configs at the end of the task; null where none is set for the cluster.
  returned: success
  type: dict
  sample: {"min.insync.replicas": "2", "log.retention.ms": null}
foreign_configs:
  description: Cluster-wide dynamic configs that this task does not own, and keeps.
  returned: success
  type: dict
  sample: {"log.cleaner.threads": "1"}
refused:
  description: Every reason why the declared configs cannot be had. Nothing was changed.
  returned: when a declaration is refused
  type: list
  elements: str
  sample: [log.dirs can only be changed in server.properties.]
reason:
  description: Kind of the failure, for a play to decide on.
  returned: failure
  type: str
  sample: refused
"""

import difflib
import typing as t
from contextlib import suppress

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.raspi.kafka.plugins.module_utils._kafka import (
    BROKER,
    CONNECTION_ARGSPEC,
    DYNAMIC_DEFAULT_BROKER_CONFIG,
    ConfigEntry,
    ExpectedError,
    admin_client,
    alter_configs,
    canonical,
    config_text,
    converge,
    describe_configs,
    refuse,
    run,
)

with suppress(ImportError):  # _kafka.require_kafka_python() has the sentence for it
    from kafka.errors import InvalidRequestError

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from kafka.admin import KafkaAdminClient

WHOLE_CLUSTER = ""
MIN_ISR = "min.insync.replicas"


def check(wanted: Mapping[str, str | None], known: Mapping[str, ConfigEntry]) -> list[str]:
    """Which declared configs a broker does not have, or would not let be changed or compared."""
    refused = []
    for key in wanted:
        entry = known.get(key)
        if entry is None:
            close = difflib.get_close_matches(key, known, n=1)
            meant = f" Do you mean {close[0]}?" if close else ""
            refused.append(f"{key} is no config of a broker.{meant}")
        elif entry.read_only:
            refused.append(f"{key} cannot be changed while a broker runs: set it in server.properties and restart.")
        elif entry.sensitive:
            refused.append(f"{key} is a password, which Kafka shows to nobody, so it cannot be compared.")
    return refused


def plan(
    current: Mapping[str, str | None], wanted: Mapping[str, str | None], types: Mapping[str, int]
) -> dict[str, str | None]:
    """The changes that lead from `current` to `wanted`; None stands for a config that is to be reset."""
    changes: dict[str, str | None] = {}
    for key, value in wanted.items():
        kind = types.get(key, 0)
        if value is None:
            if key in current:
                changes[key] = None
        elif key not in current or canonical(current[key], kind) != canonical(value, kind):
            changes[key] = value
    return changes


def describe(changes: Mapping[str, str | None], current: Mapping[str, str | None]) -> list[str]:
    """The plan in sentences."""
    return [
        f"{'reset ' + key if value is None else f'set {key}={value}'} for all brokers (was {current.get(key, 'unset')})"
        for key, value in changes.items()
    ]


def read(admin: KafkaAdminClient) -> dict[str, str | None]:
    entries = describe_configs(admin, BROKER, [WHOLE_CLUSTER])[WHOLE_CLUSTER]
    return {key: entry.value for key, entry in entries.items() if entry.source == DYNAMIC_DEFAULT_BROKER_CONFIG}


def known_configs(admin: KafkaAdminClient) -> dict[str, ConfigEntry]:
    """Every config a broker has, from the first one that answers for itself.

    Behind a loopback listener every broker has the same address, and only one of them is there.
    """
    brokers = [
        str(broker["broker_id"]) for broker in admin.describe_cluster()["brokers"] if not broker.get("is_fenced")
    ]
    for broker in brokers:
        with suppress(InvalidRequestError):
            return describe_configs(admin, BROKER, [broker], int(broker))[broker]
    raise ExpectedError(
        f"None of the brokers {', '.join(brokers)} answers at its address for itself. "
        "Name the LAN listener in bootstrap_servers, and correct what the brokers advertise.",
        reason="wrong_broker",
    )


def apply(
    admin: KafkaAdminClient, changes: dict[str, str | None], current: dict[str, str | None], validate_only: bool
) -> None:
    """The only writer. With validate_only the brokers judge the changes, and do nothing."""
    answer = alter_configs(admin, BROKER, {WHOLE_CLUSTER: changes}, validate_only).get(WHOLE_CLUSTER)
    if answer is None:
        return
    hint = ""
    if MIN_ISR in changes and changes[MIN_ISR] is None:
        hint = f" Declare a number for {MIN_ISR} (1 is the default of Kafka), null cannot be had."
    refuse([f"The cluster does not take {', '.join(describe(changes, current))}: {answer}{hint}"])


def work(module: AnsibleModule) -> dict[str, t.Any]:
    wanted = {str(key): config_text(value) for key, value in module.params["configs"].items()}
    with admin_client(module.params) as admin:
        known = known_configs(admin)
        refuse(check(wanted, known))
        types = {key: entry.type for key, entry in known.items()}
        current = read(admin)
        changes = plan(current, wanted, types)
        before = {key: current.get(key) for key in wanted}
        after = {**before, **changes}
        if changes:
            apply(admin, changes, current, validate_only=True)
        if changes and not module.check_mode:
            apply(admin, changes, current, validate_only=False)
            converge(lambda: read(admin), lambda found: describe(plan(found, wanted, types), found), module.params)
    return {
        "changed": bool(changes),
        "actions": describe(changes, current),
        "altered": changes,
        "configs": after,
        "foreign_configs": {key: value for key, value in sorted(current.items()) if key not in wanted},
        "diff": {"before": before, "after": after},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={**CONNECTION_ARGSPEC, "configs": {"type": "dict", "required": True}},
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
