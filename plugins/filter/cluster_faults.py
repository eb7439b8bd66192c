# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
name: cluster_faults
short_description: Find what in an inventory cannot be one cluster
version_added: 0.1.0
author: raspi.kafka contributors (@raspi-kafka)
description:
  - The hosts of the groups C(brokers) and C(controllers) form one cluster; a host in both is a combined node. A host of
    C(pis) in neither is a cluster of its own.
  - Contacts no host.
options:
  _input:
    description: The groups of the inventory, as Ansible's C(groups).
    type: dict
    required: true
  node_ids:
    description: Name in the inventory -> its C(kraft_broker_node_id).
    type: dict
    required: true
  advertised:
    description: Name in the inventory -> its C(kraft_broker_advertised_address), empty for none.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Say what is wrong with the cluster
  ansible.builtin.debug:
    msg: "{{ groups | raspi.kafka.cluster_faults(node_ids={'pi1': 1, 'pi2': 1}, advertised={}) }}"
"""

RETURN = r"""
_value:
  description: Sentences, one for each fault.
  type: list
  elements: str
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_ROLES = ("brokers", "controllers")


def shared(values: Mapping[str, Any], hosts: Iterable[str]) -> dict[str, list[str]]:
    """Values that several of the hosts have, with those hosts."""
    having: dict[str, list[str]] = {}
    for host in hosts:
        having.setdefault(str(values.get(host, "")), []).append(host)
    return {value: same for value, same in having.items() if value and len(same) > 1}


def _is_node_name(text: str) -> bool:
    """Whether other nodes can look for it: a host name (RFC 1123, underscores too) or an IPv4 address."""
    return re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?", text) is not None and text.lower() != "localhost"


def cluster_faults(
    groups: Mapping[str, Sequence[str]], node_ids: Mapping[str, Any], advertised: Mapping[str, Any]
) -> list[str]:
    """See DOCUMENTATION."""
    hosts = {role: list(groups.get(role, [])) for role in _ROLES}
    members = list(dict.fromkeys(hosts["controllers"] + hosts["brokers"]))
    sentences = [
        f"The cluster has no {missing[:-1]}: the group [{missing}] is empty and [{there}] is not. Name the hosts of "
        f"both; for nodes that are both write [{missing}:children] and below it {there}."
        for there, missing in (_ROLES, _ROLES[::-1])
        if hosts[there] and not hosts[missing]
    ]
    outside = [host for host in members if host not in groups.get("pis", [])]
    if outside:
        sentences.append(
            f"{', '.join(outside)} in [brokers] or [controllers] is missing in [pis]. Write [pis:children] and below "
            "it brokers and controllers."
        )
    sentences += [
        f"{' and '.join(same)} have the same kraft_broker_node_id={value}, and each node of a cluster needs its own. "
        "Write kraft_broker_node_id=NUMBER behind each host; a number that a node has already got stays."
        for value, same in shared(node_ids, members).items()
    ]
    sentences += [
        f"{' and '.join(same)} have the same kraft_broker_advertised_address={value}. Write it behind each host, or "
        "leave it empty."
        for value, same in shared(advertised, members).items()
    ]
    if len(members) > 1:
        sentences += [
            f"{host} cannot be the name of a node: the other nodes look for it under this name. Call it pi1 or the "
            f"like, and write ansible_host={host} behind it."
            for host in members
            if not _is_node_name(host)
        ]
    return sentences


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Any]:
        return {"cluster_faults": cluster_faults}
