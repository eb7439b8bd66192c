# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
name: failover_faults
short_description: Find values of kraft_broker_failover that are not known or do not fit together
version_added: 0.1.0
author: raspi.kafka contributors (@raspi-kafka)
description:
  - The active controller gives a broker up by its own setting, and any controller may become the active one. So all
    nodes of a cluster have to agree; hosts in none of the groups C(brokers) and C(controllers) may differ.
  - Contacts no host.
options:
  _input:
    description: Name in the inventory -> its C(kraft_broker_failover).
    type: dict
    required: true
  groups:
    description: The groups of the inventory, as Ansible's C(groups).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Say what does not fit
  ansible.builtin.debug:
    msg: "{{ {'pi1': 'wifi', 'pi2': 'default'} | raspi.kafka.failover_faults(groups=groups) }}"
"""

RETURN = r"""
_value:
  description: Sentences, one for each fault.
  type: list
  elements: str
"""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

FAILOVERS = ("default", "wifi", "fast_failover")


def meant_by(value: str) -> str:
    """The known value that somebody may have wanted to write, as a question; nothing where none is like it."""
    begun = [one for one in FAILOVERS if value and one.startswith(value.lower())]
    near = begun or difflib.get_close_matches(value.lower(), FAILOVERS, n=1)
    return f"; did you mean {near[0]}?" if near else "."


def having(values: Mapping[str, str]) -> dict[str, list[str]]:
    """Value -> the hosts that have it."""
    hosts: dict[str, list[str]] = {}
    for host, value in values.items():
        hosts.setdefault(value, []).append(host)
    return hosts


def failover_faults(failovers: Mapping[str, Any], groups: Mapping[str, Sequence[str]]) -> list[str]:
    """See DOCUMENTATION."""
    values = {host: str(value) for host, value in failovers.items()}
    unknown = {value: hosts for value, hosts in having(values).items() if value not in FAILOVERS}
    if unknown:
        return [
            f"kraft_broker_failover={value} of {', '.join(hosts)} is not known{meant_by(value)} "
            f"There are {', '.join(FAILOVERS)}."
            for value, hosts in unknown.items()
        ]
    members = {*groups.get("brokers", []), *groups.get("controllers", [])}
    found = having({host: value for host, value in values.items() if host in members})
    if len(found) < 2:
        return []
    told = ", ".join(f"{value} ({', '.join(hosts)})" for value, hosts in found.items())
    return [
        f"The nodes of a cluster differ in kraft_broker_failover: {told}. Write one of them below [pis:vars], for all."
    ]


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Any]:
        return {"failover_faults": failover_faults}
