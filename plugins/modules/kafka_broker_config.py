#!/usr/bin/python

# Copyright (c) 2026, raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kafka_broker_config
short_description: Bring into force what has changed in server.properties, as far as a running broker takes it
version_added: 0.1.0
description:
  - Of the keys that have changed in C(server.properties) since a broker was started, sets those that Kafka can change
    in a running broker (KIP-226), as dynamic configs of this one broker, and names the others, for which it has to be
    restarted. Which is which the broker itself says.
  - A dynamic config wins over the file also after a restart. So the module remembers on the host which ones it has set,
    sets them anew where the file changes once more, and takes back those that the file does not have any more.
  - A key that somebody has set otherwise as a dynamic config of this broker is left as it is and named. So is one that
    has changed and is set otherwise for all brokers.
author: raspi.kafka contributors (@raspi-kafka)
extends_documentation_fragment:
  - raspi.kafka._kafka
  - raspi.kafka._attributes
  - raspi.kafka._attributes.kafka
options:
  node_id:
    description: The broker. O(bootstrap_servers) has to lead to it.
    type: int
    required: true
  path:
    description: The file with the declared values, C(server.properties).
    type: path
    required: true
  changed:
    description: Keys of which the file says something else than when the broker was started, or nothing any more.
    type: list
    elements: str
    required: true
  fixed:
    description: Keys that are never changed in a running broker, whatever it says of them.
    type: list
    elements: str
    default: []
  record:
    description: File on the host where the module remembers which keys it has set.
    type: path
    required: true
seealso:
  - module: raspi.kafka.kafka_cluster_config
"""

EXAMPLES = r"""
- name: Keep records for two days from now on
  raspi.kafka.kafka_broker_config:
    bootstrap_servers: ["127.0.0.1:19092"]
    node_id: 1
    path: /etc/kafka/server.properties
    changed: [log.retention.ms]
    record: /var/lib/kafka/data/dynamic.json
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be done, one sentence for each change.
  returned: success
  type: list
  elements: str
  sample: ["set log.retention.ms=172800000 without a restart (was 604800000)"]
restart:
  description: Keys for which the broker has to be restarted.
  returned: success
  type: list
  elements: str
  sample: [queued.max.requests]
refused:
  description: Those of RV(restart) that a running broker may take, but not with this value, and why.
  returned: success
  type: dict
  sample: {}
overruled:
  description: Keys for which another dynamic config is in force than the file says, with that value.
  returned: success
  type: dict
  sample: {}
reason:
  description: Kind of the failure, for a play to decide on.
  returned: failure
  type: str
  sample: kafka_error
"""

import json
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.raspi.kafka.plugins.module_utils._kafka import (
    BROKER,
    CONNECTION_ARGSPEC,
    DYNAMIC_BROKER_CONFIG,
    DYNAMIC_DEFAULT_BROKER_CONFIG,
    ConfigEntry,
    ExpectedError,
    KafkaError,
    admin_client,
    alter_configs,
    canonical,
    converge,
    describe_configs,
    run,
)
from ansible_collections.raspi.kafka.plugins.module_utils._properties import properties
from ansible_collections.raspi.kafka.plugins.module_utils._whole_file import write_whole

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kafka.admin import KafkaAdminClient

UNKNOWN = ConfigEntry(None, 0, 0, read_only=True, sensitive=False)


@dataclass
class Plan:
    """What is to be done: dynamic configs to set or, with None, to take back, and what no dynamic config can do."""

    changes: dict[str, str | None] = field(default_factory=dict)
    restart: list[str] = field(default_factory=list)
    overruled: dict[str, str | None] = field(default_factory=dict)

    def restart_instead(self, key: str, mine: bool) -> None:
        """Leave a key to the file and a restart; an own dynamic config would win over the file afterwards."""
        self.restart.append(key)
        self.changes.pop(key, None)
        if mine:
            self.changes[key] = None


@dataclass(frozen=True)
class Key:
    """A key of the file, as the file and the broker know it."""

    wanted: str | None
    entry: ConfigEntry
    changed: bool
    mine: bool
    fixed: bool

    @property
    def set_here(self) -> bool:
        return self.entry.source == DYNAMIC_BROKER_CONFIG

    @property
    def set_by_others(self) -> bool:
        return self.entry.source == DYNAMIC_DEFAULT_BROKER_CONFIG or (self.set_here and not self.mine)

    @property
    def in_force(self) -> bool:
        return canonical(self.entry.value, self.entry.type) == canonical(self.wanted, self.entry.type)

    @property
    def can_be_set(self) -> bool:
        """A value with a backslash means something else in the file (java.util.Properties)."""
        known = not (self.entry.read_only or self.entry.sensitive or self.fixed)
        return known and self.wanted is not None and "\\" not in self.wanted


def plan(keys: Mapping[str, Key]) -> Plan:
    """What brings the file into force."""
    todo = Plan()
    for name, key in keys.items():
        if key.changed and not key.can_be_set:
            todo.restart_instead(name, key.mine and key.set_here)
        elif key.set_by_others:
            # One of this broker alone may be this module's own, of a card that is gone.
            if (key.changed or (key.set_here and not key.entry.sensitive)) and not key.in_force:
                todo.overruled[name] = key.entry.value
        elif key.changed and not key.in_force:
            todo.changes[name] = key.wanted
        elif key.mine and key.set_here and not key.in_force:
            # The broker was started with what the file says, and this is left from before.
            todo.changes[name] = None
    return todo


def describe(changes: Mapping[str, str | None], keys: Mapping[str, Key]) -> list[str]:
    """The changes in sentences."""
    done = {key: f"take back {key}" if value is None else f"set {key}={value}" for key, value in changes.items()}
    return [f"{said} without a restart (was {keys[key].entry.value})" for key, said in done.items()]


def remembered(path: Path) -> list[str]:
    """Keys that this module has set before.

    :raises ExpectedError: the record is none of this module.
    """
    if not path.exists():
        return []
    try:
        return [str(key) for key in json.loads(path.read_text(encoding="utf-8"))]
    except ValueError as error:
        raise ExpectedError(
            f"{path} holds no list of keys ({error}). Remove it, and look with `kafka configs --entity-type brokers "
            "--describe --all` which dynamic configs are left.",
            reason="invalid",
        ) from error


def remember(path: Path, keys: Iterable[str]) -> None:
    """Write the record."""
    write_whole(str(path), (json.dumps(sorted(keys)) + "\n").encode(), 0o644)


def left_to_do(entries: Mapping[str, ConfigEntry], changes: Mapping[str, str | None]) -> list[str]:
    """Keys that the broker does not show as they were set."""
    return [
        key
        for key, value in changes.items()
        if (entries[key].source == DYNAMIC_BROKER_CONFIG) != (value is not None)
        or (
            value is not None
            and canonical(entries[key].value, entries[key].type) != canonical(value, entries[key].type)
        )
    ]


@dataclass(frozen=True)
class Broker:
    """The one broker, over a connection that leads to it."""

    admin: KafkaAdminClient
    node: int

    def read(self) -> dict[str, ConfigEntry]:
        return describe_configs(self.admin, BROKER, [str(self.node)], self.node)[str(self.node)]

    def refuses(self, key: str, value: str | None) -> str | None:
        """Why it would not take a change; asked one by one, since it takes all of them or none."""
        return self._alter({key: value}, validate_only=True)

    def change(self, changes: Mapping[str, str | None], params: Mapping[str, t.Any]) -> None:
        """Set and take back.

        :raises ExpectedError: it refused, or does not show the changes within request_timeout_ms.
        """
        refused = self._alter(changes, validate_only=False)
        if refused:
            raise ExpectedError(f"Broker {self.node} does not take {', '.join(changes)}: {refused}", reason="refused")
        converge(self.read, lambda entries: left_to_do(entries, changes), params)

    def _alter(self, changes: Mapping[str, str | None], validate_only: bool) -> str | None:
        name = str(self.node)
        return alter_configs(self.admin, BROKER, {name: changes}, validate_only, self.node).get(name)


def keys_of(params: Mapping[str, t.Any], entries: Mapping[str, ConfigEntry], mine: Iterable[str]) -> dict[str, Key]:
    """Each key of the file, and what has changed or was set before."""
    wanted = properties(Path(params["path"]).read_text(encoding="latin-1"))
    return {
        name: Key(
            wanted=wanted.get(name),
            entry=entries.get(name, UNKNOWN),
            changed=name in params["changed"],
            mine=name in mine,
            fixed=name in params["fixed"],
        )
        for name in sorted({*wanted, *params["changed"], *mine})
    }


def refusals(broker: Broker, keys: Mapping[str, Key], todo: Plan) -> dict[str, str]:
    """Leave to a restart what the broker does not take; returns why."""
    refused = {
        name: why
        for name, value in todo.changes.items()
        if value is not None and (why := broker.refuses(name, value)) is not None
    }
    for name in refused:
        todo.restart_instead(name, keys[name].mine and keys[name].set_here)
    return refused


def apply(broker: Broker, todo: Plan, mine: Iterable[str], params: Mapping[str, t.Any]) -> None:
    """The only writer. What it sets it remembers first, so that nothing is forgotten where it is cut off."""
    if not todo.changes:
        return
    gone = {name for name, value in todo.changes.items() if value is None}
    remember(Path(params["record"]), {*mine, *todo.changes})
    broker.change(todo.changes, params)
    remember(Path(params["record"]), {*mine, *todo.changes} - gone)


def work(module: AnsibleModule) -> dict[str, t.Any]:
    mine = remembered(Path(module.params["record"]))
    try:
        return bring_into_force(module, mine)
    except (ExpectedError, KafkaError, OSError) as failed:
        if mine or module.params["changed"]:
            raise
        # A broker that hangs may be what this play is to mend.
        module.warn(f"It was not asked what overrules {module.params['path']}: {failed}")
        return {"changed": False, "actions": [], "restart": [], "refused": {}, "overruled": {}}


def bring_into_force(module: AnsibleModule, mine: list[str]) -> dict[str, t.Any]:
    params = module.params
    with admin_client(params) as admin:
        broker = Broker(admin, params["node_id"])
        keys = keys_of(params, broker.read(), mine)
        todo = plan(keys)
        refused = refusals(broker, keys, todo)
        if not module.check_mode:
            apply(broker, todo, mine, params)
    return {
        "changed": bool(todo.changes),
        "actions": describe(todo.changes, keys),
        "restart": sorted(todo.restart),
        "refused": refused,
        "overruled": todo.overruled,
        "diff": {"before": {name: keys[name].entry.value for name in todo.changes}, "after": todo.changes},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CONNECTION_ARGSPEC,
            "node_id": {"type": "int", "required": True},
            "path": {"type": "path", "required": True},
            "changed": {"type": "list", "elements": "str", "required": True},
            "fixed": {"type": "list", "elements": "str", "default": []},
            "record": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
