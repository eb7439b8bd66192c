# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
name: foreign_listeners
short_description: Find wanted TCP ports on which another process listens
version_added: 0.1.0
author: raspi.kafka contributors (@raspi-kafka)
description:
  - Reads the output of C(ss -Hltnpe) and names each wanted port that is taken, and by whom.
  - The control group tells the unit of a listener even where the processes of others are hidden.
options:
  _input:
    description: Lines that C(ss -Hltnpe) printed.
    type: list
    elements: str
    required: true
  ports:
    description: Ports that are wanted.
    type: list
    elements: int
    required: true
  own_unit:
    description: The systemd unit that may have them.
    type: str
    required: true
  own_user_id:
    description:
      - Id of a user whose listeners may have them too, where the kernel tells no control group.
      - An emulated kernel does not, nor does one that was built without socket diagnostics.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Say which ports are taken
  ansible.builtin.debug:
    msg: "{{ __listening.stdout_lines | raspi.kafka.foreign_listeners([9092], own_unit='kafka.service') }}"
"""

RETURN = r"""
_value:
  description: Sentences, one for each taken port.
  type: list
  elements: str
"""

import re
from collections.abc import Iterable
from typing import Any


def foreign_listeners(lines: Iterable[str], ports: Iterable[int], own_unit: str, own_user_id: str = "") -> list[str]:
    """See DOCUMENTATION.

    A line of ss(8) is ``LISTEN 0 50 *:9092 *:* users:(("java",pid=4711,fd=9)) uid:999 ino:1
    cgroup:/system.slice/x.service <->``.
    """
    wanted = {int(port) for port in ports}
    sentences = set()
    for fields in (line.split(None, 5) for line in lines):
        port = int(fields[3].rpartition(":")[2])
        details = fields[5] if len(fields) > 5 else ""
        unit = re.search(r"cgroup:\S*/([^/\s]+)", details)
        program = re.search(r'\("([^"]+)",pid=(\d+)', details)
        own = unit[1] == own_unit if unit else bool(own_user_id) and f"uid:{own_user_id}" in details.split()
        if port not in wanted or own:
            continue
        name = f"{program[1]} (pid {program[2]})" if program else "a process"
        place = f" in {unit[1]}" if unit else "" if program else " that cannot be named"
        sentences.add(f"Port {port} is taken by {name}{place}.")
    return sorted(sentences)


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Any]:
        return {"foreign_listeners": foreign_listeners}
