# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
name: twins
short_description: Find hosts that have the machine-id or the name of another
version_added: 0.1.0
author: raspi.kafka contributors (@raspi-kafka)
description:
  - A card that was copied boots as a second host with the same C(/etc/machine-id), from which systemd derives the
    host's DHCP identity, and with the same name.
options:
  _input:
    description: Name in the inventory -> what M(raspi.kafka.pi_host_check) returned there.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Say which hosts are not to be told apart
  ansible.builtin.debug:
    msg: "{{ {'pi1': __checked_pi1, 'pi2': __checked_pi2} | raspi.kafka.twins }}"
"""

RETURN = r"""
_value:
  description: Sentences, one for each machine-id and each name that several hosts have.
  type: list
  elements: str
"""

from collections.abc import Mapping
from typing import Any

_REMEDY = {
    "machine_id": (
        "Is it one Pi, listed twice? Or a copied card: on the copy run sudo rm /etc/machine-id "
        "/var/lib/dbus/machine-id; sudo systemd-machine-id-setup; sudo reboot."
    ),
    "hostname": "Give each its own: sudo hostnamectl hostname NAME, then reboot.",
}


def twins(hosts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """See DOCUMENTATION."""
    sentences = []
    for key, remedy in _REMEDY.items():
        names: dict[str, list[str]] = {}
        for name, facts in hosts.items():
            names.setdefault(str(facts[key]), []).append(name)
        sentences += [
            f"{' and '.join(same)} have the same {key.replace('_', '-')} {value}. {remedy}"
            for value, same in names.items()
            if len(same) > 1
        ]
    return sentences


class FilterModule:
    """Ansible's way to find the filter."""

    def filters(self) -> dict[str, Any]:
        return {"twins": twins}
