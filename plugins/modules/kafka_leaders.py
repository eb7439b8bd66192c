#!/usr/bin/python

# Copyright (c) 2026, raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kafka_leaders
short_description: Let a broker lead again what it led before its restart
version_added: 0.1.0
description:
  - Waits until all replicas of a broker are in sync, and then lets it lead each partition whose first replica it has,
    by an election of preferred leaders (KIP-460). No data is moved, and clients follow by themselves.
  - Kafka does so by itself only every 5 minutes, and only where more than a tenth of a broker's partitions are led by
    others. Until then the other brokers have all the work, and each next restart moves more leaders than it must.
author: raspi.kafka contributors (@raspi-kafka)
extends_documentation_fragment:
  - raspi.kafka._kafka
  - raspi.kafka._attributes
  - raspi.kafka._attributes.kafka
options:
  node_id:
    description: The broker.
    type: int
    required: true
  patience:
    description:
      - How long to wait for replicas without any progress, in seconds. Progress is a replica that has come into sync.
        One that catches up over minutes shows none meanwhile.
    type: int
    default: 120
  limit:
    description: How long to wait in all, in seconds, whatever the progress.
    type: int
    default: 3600
attributes:
  check_mode:
    details:
      - In check mode it does not wait. What is not in sync then is returned in RV(behind).
seealso:
  - module: raspi.kafka.cluster_health
"""

EXAMPLES = r"""
- name: Let node 3 lead again
  raspi.kafka.kafka_leaders:
    bootstrap_servers: ["192.168.1.20:9092", "192.168.1.21:9092", "192.168.1.22:9092"]
    node_id: 3
"""

RETURN = r"""
moved:
  description: Partitions that it leads again, by topic.
  returned: success
  type: dict
  sample: {"telemetry": [0, 3]}
behind:
  description: Partitions of which its replica is not in sync, by topic; not those that are still being copied to it.
  returned: success, and failure with RV(reason=no_progress)
  type: dict
  sample: {}
waited_s:
  description: Time until all replicas were in sync, in seconds.
  returned: success
  type: float
  sample: 0.4
reason:
  description: Kind of the failure, for a play to decide on.
  returned: failure
  type: str
  sample: no_progress
"""

import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.raspi.kafka.plugins.module_utils._kafka import (
    CONNECTION_ARGSPEC,
    ExpectedError,
    admin_client,
    answered,
    converge,
    run,
)
from ansible_collections.raspi.kafka.plugins.module_utils._leaders import elect_preferred, led_by_others
from ansible_collections.raspi.kafka.plugins.module_utils._replicas import being_added, without_copies

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kafka.admin import KafkaAdminClient

    Topics = list[dict[str, t.Any]]

SECONDS_BETWEEN_LOOKS = 0.2
SHOWN = 5  # topics in a sentence


def behind(topics: Topics, node: int) -> dict[str, list[int]]:
    """Topic -> numbers of its partitions of which the node's replica is not in sync."""
    found = {
        topic["name"]: sorted(
            one["partition_index"]
            for one in topic["partitions"]
            if node in one["replica_nodes"] and node not in one["isr_nodes"]
        )
        for topic in topics
    }
    return {name: found[name] for name in sorted(found) if found[name]}


def to_lead(topics: Topics, node: int) -> dict[str, list[int]]:
    """Topic -> numbers of its partitions that the node is to lead, could lead, and does not."""
    preferred = {
        (topic["name"], one["partition_index"])
        for topic in topics
        for one in topic["partitions"]
        if one["replica_nodes"][:1] == [node]
    }
    found = {
        name: [number for number in numbers if (name, number) in preferred]
        for name, numbers in led_by_others(topics).items()
    }
    return {name: numbers for name, numbers in found.items() if numbers}


def counted(partitions: Mapping[str, list[int]]) -> int:
    return sum(map(len, partitions.values()))


def names(partitions: Mapping[str, list[int]]) -> str:
    """Such as "telemetry 0,3 and events 0"; not all of many."""
    shown = [f"{name} {','.join(map(str, numbers))}" for name, numbers in partitions.items()]
    more = [f"{len(shown) - SHOWN} other topics"] if len(shown) > SHOWN else []
    return " and ".join(shown[:SHOWN] + more)


def await_in_sync(look: Callable[[], Topics], params: Mapping[str, t.Any]) -> float:
    """Look until all replicas of the node are in sync; returns the seconds that it took.

    :raises ExpectedError: none has come into sync for `patience` seconds, or `limit` seconds have passed.
    """
    began = moved = time.monotonic()
    left = behind(look(), params["node_id"])
    while left:
        now = time.monotonic()
        if now - moved >= params["patience"] or now - began >= params["limit"]:
            raise ExpectedError(
                f"Broker {params['node_id']} was restarted, and its replicas of {names(left)} are not in sync after "
                f"{now - began:.0f} s, the last {now - moved:.0f} s of them without one more. If their sizes grow "
                "(kafka log-dirs --describe), it copies: run the play again later. Else look at its log and at the "
                "network between the brokers; no other node should be restarted before.",
                reason="no_progress",
                behind=left,
            )
        time.sleep(SECONDS_BETWEEN_LOOKS)
        before, left = left, behind(look(), params["node_id"])
        moved = time.monotonic() if counted(left) < counted(before) else moved
    return time.monotonic() - began


def look(admin: KafkaAdminClient, params: Mapping[str, t.Any]) -> Topics:
    return answered(admin.describe_topics, params["request_timeout_ms"])


def look_at_copies(admin: KafkaAdminClient, params: Mapping[str, t.Any]) -> Topics:
    """Of replicas that a growth is copying nobody waits for the end: they take hours, and are begun by others."""

    def ask() -> Topics:
        return without_copies(admin.describe_topics(), being_added(admin, params["request_timeout_ms"]))

    return answered(ask, params["request_timeout_ms"])


def elect(admin: KafkaAdminClient, params: Mapping[str, t.Any]) -> None:
    """Let the node lead until nothing is left; an election that is refused is asked for anew.

    :raises ExpectedError: something is left after request_timeout_ms.
    """

    def unsettled(topics: Topics) -> list[str]:
        left = to_lead(topics, params["node_id"])
        refused = elect_preferred(admin, left, params["request_timeout_ms"])
        why = "; ".join(sorted(set(refused.values())))
        return [f"broker {params['node_id']} does not lead {names(left)}{': ' * bool(why)}{why}"] if left else []

    converge(lambda: look(admin, params), unsettled, params)


def work(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    with admin_client(params) as admin:
        waited, left = 0.0, {}
        if module.check_mode:
            left = behind(look_at_copies(admin, params), params["node_id"])
        else:
            waited = await_in_sync(lambda: look_at_copies(admin, params), params)
        topics = look(admin, params)
        moved = to_lead(topics, params["node_id"])
        if moved and not module.check_mode:
            elect(admin, params)
    return {
        "changed": bool(moved),
        "moved": moved,
        "behind": left,
        "waited_s": round(waited, 1),
        "diff": {"before": {"led by others": moved}, "after": {"led by others": {}}},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CONNECTION_ARGSPEC,
            "node_id": {"type": "int", "required": True},
            "patience": {"type": "int", "default": 120},
            "limit": {"type": "int", "default": 3600},
        },
        supports_check_mode=True,
    )
    run(module, work)


if __name__ == "__main__":
    main()
