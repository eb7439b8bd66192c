# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
name: misspelt
short_description: Find variables that are nearly, but not quite, known ones
version_added: 0.1.0
author: raspi.kafka contributors (@raspi-kafka)
description:
  - Ansible ignores a variable that nobody reads, so that a misspelt one has no effect and no message.
  - Finds the names that differ from a known name by one or two letters inserted, deleted, replaced or swapped.
options:
  _input:
    description: Names of all variables of a host.
    type: list
    elements: str
    required: true
  known:
    description: Names that are read; by default the variables of this collection's roles.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Say which variables have no effect
  ansible.builtin.debug:
    msg: "{{ ['kraft_broker_prot'] | raspi.kafka.misspelt }}"
"""

RETURN = r"""
_value:
  description: Sentences, one for each misspelt name, with the nearest known name.
  type: list
  elements: str
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

_DISTANCE = 2
# Of playbooks, which have no specs.
_OF_PLAYBOOKS = ("uninstall_confirmed", "uninstall_data")


def edit_distance(one: str, other: str) -> int:
    """Restricted Damerau-Levenshtein distance: insertions, deletions, replacements and swaps of neighbours.

    Own code, since a control node has no such library and this is its whole use.
    """
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        before, last, row = row, before, [i]
        for j, b in enumerate(other, 1):
            row.append(min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b)))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                row[j] = min(row[j], last[j - 2] + 1)
    return row[-1]


def role_variables() -> set[str]:
    """Names of all variables of this collection's roles and playbooks."""
    roles = Path(__file__).parents[2] / "roles"
    specs = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in roles.glob("*/meta/argument_specs.yml")]
    of_roles = {name for spec in specs for entry in spec["argument_specs"].values() for name in entry["options"]}
    return of_roles.union(_OF_PLAYBOOKS)


def misspelt(names: Iterable[str], known: Iterable[str] | None = None) -> list[str]:
    """See DOCUMENTATION. A leading underscore marks a variable as private; it is not compared."""
    known = sorted(set(known) if known is not None else role_variables())
    sentences = []
    for name in sorted(set(names) - set(known)):
        if name.startswith("_"):
            continue
        near = [(edit_distance(name, one), one) for one in known if abs(len(one) - len(name)) <= _DISTANCE]
        distance, nearest = min(near, default=(_DISTANCE + 1, ""))
        if distance <= _DISTANCE:
            sentences.append(f"The variable {name} is not known; did you mean {nearest}?")
    return sentences


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Any]:
        return {"misspelt": misspelt}
