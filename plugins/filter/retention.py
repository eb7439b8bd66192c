# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
name: retention
short_description: Say how many bytes declared topics may keep
version_added: 0.2.0
author: raspi.kafka contributors (@raspi-kafka)
description:
  - Kafka deletes whole segments, and never the one that it writes to. So a partition takes up to C(retention.bytes)
    and one segment more.
  - A compacted topic has no such bound; one segment counts for each of its partitions.
options:
  _input:
    description: Topics as in O(raspi.kafka.kafka_topics#module:topics).
    type: list
    elements: dict
    required: true
  retention_bytes:
    description: The broker's C(log.retention.bytes), for topics without their own.
    type: int
    required: true
  segment_bytes:
    description: The broker's C(log.segment.bytes), for topics without their own.
    type: int
    required: true
seealso:
  - name: Topic configs
    description: What retention.bytes and segment.bytes mean.
    link: https://kafka.apache.org/documentation/#topicconfigs
"""

EXAMPLES = r"""
- name: Say what the topics may keep
  ansible.builtin.debug:
    msg: "{{ (topics_declared | raspi.kafka.retention(retention_bytes=1073741824, segment_bytes=67108864)).bytes }}"
"""

RETURN = r"""
_value:
  description: C(bytes), the sum over all partitions, and C(refused), sentences about topics that have no bound.
  type: dict
"""

from collections.abc import Iterable, Mapping
from typing import Any


def number(topic: Mapping[str, Any], key: str, otherwise: int) -> int:
    """A config of a topic as a number.

    :raises ValueError: it is none.
    """
    value = (topic.get("configs") or {}).get(key)
    return otherwise if value is None else int(value)


def bytes_of(topic: Mapping[str, Any], retention_bytes: int, segment_bytes: int) -> int:
    """What a topic may keep on its broker.

    :raises ValueError: nothing bounds it, or a value is no number; the message is a sentence.
    """
    name = topic.get("name")
    try:
        partitions = int(topic.get("partitions") or 1)
        kept = number(topic, "retention.bytes", retention_bytes)
        segment = number(topic, "segment.bytes", segment_bytes)
    except ValueError as error:
        raise ValueError(f"Topic {name} has a size that is no number ({error}). Write bytes as digits.") from error
    policy = str((topic.get("configs") or {}).get("cleanup.policy", "delete"))
    if "delete" not in policy:
        return partitions * segment
    if kept < 0:
        raise ValueError(
            f"Topic {name} declares retention.bytes {kept}, so that only time bounds it and it can fill the disk. "
            "Declare how many bytes a partition may keep."
        )
    return partitions * (kept + segment)


def retention(topics: Iterable[Mapping[str, Any]], retention_bytes: int, segment_bytes: int) -> dict[str, Any]:
    """See DOCUMENTATION."""
    total, refused = 0, []
    for topic in topics:
        if topic.get("state", "present") != "present":
            continue
        try:
            total += bytes_of(topic, int(retention_bytes), int(segment_bytes))
        except ValueError as error:
            refused.append(str(error))
    return {"bytes": total, "refused": refused}


class FilterModule:
    """Ansible's way to find the filter."""

    def filters(self) -> dict[str, Any]:
        return {"retention": retention}
