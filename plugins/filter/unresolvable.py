# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
name: unresolvable
short_description: Find names that the control node cannot resolve
version_added: 0.1.0
author: raspi.kafka contributors (@raspi-kafka)
description:
  - Asks the control node's resolver, as a client there would. An address is its own answer.
options:
  _input:
    description: Names and addresses.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Say which names mean nothing here
  ansible.builtin.debug:
    msg: "{{ ['pi1.local', '192.168.1.50'] | raspi.kafka.unresolvable }}"
"""

RETURN = r"""
_value:
  description: Those without an address.
  type: list
  elements: str
"""

import socket
from collections.abc import Iterable
from typing import Any


def unresolvable(names: Iterable[str]) -> list[str]:
    """See DOCUMENTATION."""
    found = []
    for name in names:
        try:
            socket.getaddrinfo(name, None)
        except (OSError, UnicodeError):  # a name that cannot be one, as pi1..lan
            found.append(name)
    return found


class FilterModule:
    """Ansible's way to find the filter."""

    def filters(self) -> dict[str, Any]:
        return {"unresolvable": unresolvable}
