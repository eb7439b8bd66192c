# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
name: last_heard
short_description: Say of each device when it was heard last
version_added: 0.1.0
author: raspi.kafka contributors (@raspi-kafka)
description:
  - Puts the result of M(raspi.kafka.last_records) into words. Times are those of the control node's time zone.
options:
  _input:
    description: Names of devices, which are the keys of their records.
    type: list
    elements: str
    required: true
  found:
    description: The result of M(raspi.kafka.last_records), or that of its failure.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Say when the kitchen was heard
  ansible.builtin.debug:
    msg: "{{ (['kitchen'] | raspi.kafka.last_heard(__last_records)).kitchen }}"
"""

RETURN = r"""
_value:
  description: Name -> when it was heard, in words.
  type: dict
  sample: {kitchen: "2026-11-26 08:38:01 on devices/kitchen/temperature", bath: never}
"""

import time
from collections.abc import Iterable, Mapping
from typing import Any


def when(milliseconds: int) -> str:
    """A time since the epoch for a reader."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(milliseconds / 1000))


def sentence(name: str, found: Mapping[str, Any]) -> str:
    """When one device was heard."""
    if "records" not in found:
        return "unknown"
    if last := found["records"].get(name):
        return f"{when(last['timestamp'])} on {last['headers'].get('mqtt.topic', last['topic'])}"
    return "never" if found["complete"] else f"not since {when(found['since'])}"


def last_heard(names: Iterable[str], found: Mapping[str, Any]) -> dict[str, str]:
    """See DOCUMENTATION."""
    return {name: sentence(name, found) for name in names}


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Any]:
        return {"last_heard": last_heard}
