# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
name: roll_order
short_description: Plan in which order the nodes of a cluster are restarted
version_added: 0.1.0
author: raspi.kafka contributors (@raspi-kafka)
description:
  - First the nodes that the cluster does without already, since a restart of any other one would take a second node
    away. The active controller comes last, so that it moves once. Others stay in the order of the inventory.
  - Where the cluster could not be asked, all stay in the order of the inventory.
options:
  _input:
    description: The nodes that are to be restarted, by their names in the inventory.
    type: list
    elements: str
    required: true
  node_ids:
    description: Name in the inventory -> its C(kraft_broker_node_id).
    type: dict
    required: true
  health:
    description: What M(raspi.kafka.cluster_health) returned without a C(node_id), or where it failed.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Say which node would be restarted first
  ansible.builtin.debug:
    msg: "{{ (['pi1', 'pi2'] | raspi.kafka.roll_order(node_ids={'pi1': 1, 'pi2': 2}, health=health)) | first }}"
"""

RETURN = r"""
_value:
  description: >-
    The nodes in their order, each as a dictionary with its C(host), C(healthy), which is false where it is of no use to
    the cluster now, and C(says), the host and why it has its place in words.
  type: list
  elements: dict
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_UNKNOWN = "the cluster could not be asked"


@dataclass(frozen=True)
class Node:
    """A node that is to be restarted; `faults` are why the cluster does without it, in words."""

    host: str
    faults: tuple[str, ...]
    leads: bool

    @property
    def place(self) -> int:
        """Nodes with a lower one come first."""
        return 0 if self.faults else 2 if self.leads else 1

    def says(self, known: bool) -> str:
        why = [*self.faults, *["active controller"] * self.leads, *[_UNKNOWN] * (not known)]
        return f"{self.host} ({', '.join(why)})" if why else self.host


def faults(node_id: int, health: Mapping[str, Any]) -> tuple[str, ...]:
    """Why the cluster does without a node."""
    brokers = {one["id"]: one for one in health["brokers"]}
    voters = {one["id"]: one for one in health["voters"]}
    if node_id not in {*brokers, *voters, *(one["id"] for one in health["observers"])}:
        return ("the cluster does not know it",)
    broker, voter = brokers.get(node_id, {}), voters.get(node_id, {"caught_up": True})
    behind = broker.get("out_of_sync", 0)
    found = {
        "its broker is fenced": broker.get("fenced", False),
        f"{behind} of its replicas are not in sync": behind > 0,
        "it lacks a part of the metadata": not voter["caught_up"],
    }
    return tuple(sentence for sentence, holds in found.items() if holds)


def roll_order(hosts: Sequence[str], node_ids: Mapping[str, Any], health: Mapping[str, Any]) -> list[dict[str, Any]]:
    """See DOCUMENTATION."""
    # Without an active controller nothing is known of the voters.
    known = health.get("leader_id") is not None
    nodes = [
        Node(
            host=host,
            faults=faults(int(node_ids[host]), health) if known else (),
            leads=known and health["leader_id"] == int(node_ids[host]),
        )
        for host in hosts
    ]
    # sorted() keeps the order of equals.
    return [
        {"host": node.host, "healthy": not node.faults, "says": node.says(known)}
        for node in sorted(nodes, key=lambda node: node.place)
    ]


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Any]:
        return {"roll_order": roll_order}
