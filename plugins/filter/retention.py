# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
name: retention
short_description: Say how many bytes declared topics may keep
version_added: 0.1.0
author: raspi.kafka contributors (@raspi-kafka)
description:
  - Kafka deletes whole segments, and never the one that it writes to. So a partition takes up to C(retention.bytes)
    and one segment more.
  - A topic that is only compacted has no such bound; one segment counts for each of its partitions.
  - Nothing fails here, so that a play can say all that is wrong at once.
options:
  _input:
    description: Topics as in O(raspi.kafka.kafka_topics#module:topics), as they were declared; they may be malformed.
    type: raw
    required: true
  retention_bytes:
    description: >-
      The C(log.retention.bytes) of kraft_broker_extra_config, for topics without their own. V(none) where it has none;
      then it follows from the disk, and such partitions are counted.
    type: raw
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
  description: >-
    C(bytes), the sum over all partitions; C(unlimited), the number of partitions of which only the segment is in this
    sum; C(compacted), names of topics that nothing bounds; C(refused), sentences about what cannot be.
  type: dict
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_AS_A_LIST = 'Give a list, on the command line as JSON: -e \'{"topics_declared": [{"name": "events"}]}\'.'


@dataclass(frozen=True)
class Kept:
    """What one topic may keep on its broker: `size` in bytes, and partitions whose retention the broker decides."""

    size: int
    unlimited: int = 0
    compacted: bool = False


def number(key: str, value: Any, whose: str) -> int:
    """A size in bytes.

    :raises ValueError: it is none; the message is a sentence.
    """
    try:
        return int(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{whose} has {key} {value}, which is no number. Write bytes as digits.") from error


def configs_of(topic: Any) -> tuple[str, Mapping[str, Any]]:
    """Name and configs of a topic.

    :raises ValueError: it is not formed like one; the message is a sentence.
    """
    if not isinstance(topic, Mapping) or not topic.get("name"):
        raise ValueError(f"topics_declared has the entry {topic!r}, which is no topic with a name. {_AS_A_LIST}")
    configs = topic.get("configs") or {}
    if not isinstance(configs, Mapping):
        raise ValueError(f"Topic {topic['name']} has configs that are no dictionary ({configs!r}).")
    return str(topic["name"]), configs


def limit_of(name: str, own: Any, of_the_broker: Any) -> int | None:
    """The bytes that a partition of a topic may keep; None where the disk decides.

    :raises ValueError: only time bounds it, or it is no number; the message is a sentence.
    """
    if own is not None:
        limit = number("retention.bytes", own, f"Topic {name}")
        says = f"Topic {name} declares retention.bytes {limit}"
    elif of_the_broker is not None:
        limit = number("log.retention.bytes", of_the_broker, "kraft_broker_extra_config")
        says = f"kraft_broker_extra_config has log.retention.bytes {limit}, and topic {name} has no retention.bytes"
    else:
        return None
    if limit < 0:
        remedy = "Declare how many bytes a partition may keep."
        raise ValueError(f"{says}, so that only time bounds it and it can fill the disk. {remedy}")
    return limit


def kept_by(topic: Any, retention_bytes: Any, segment_bytes: int) -> Kept:
    """What a topic may keep on its broker.

    :raises ValueError: nothing bounds it, or it is not formed like a topic; the message is a sentence.
    """
    name, configs = configs_of(topic)
    if topic.get("state", "present") != "present":
        return Kept(0)
    whose = f"Topic {name}"
    partitions = number("partitions", topic.get("partitions") or 1, whose)
    own_segment = configs.get("segment.bytes")
    segments = partitions * (segment_bytes if own_segment is None else number("segment.bytes", own_segment, whose))
    if "delete" not in str(configs.get("cleanup.policy", "delete")):
        return Kept(segments, compacted=True)
    limit = limit_of(name, configs.get("retention.bytes"), retention_bytes)
    return Kept(segments, unlimited=partitions) if limit is None else Kept(segments + partitions * limit)


def retention(topics: Any, segment_bytes: int, retention_bytes: Any = None) -> dict[str, Any]:
    """See DOCUMENTATION."""
    found: dict[str, Any] = {"bytes": 0, "unlimited": 0, "compacted": [], "refused": []}
    if not isinstance(topics, list):
        kind = "a text" if isinstance(topics, str) else "no list"
        return {**found, "refused": [f"topics_declared is {kind} ({topics!r}). {_AS_A_LIST}"]}
    for topic in topics:
        try:
            kept = kept_by(topic, retention_bytes, int(segment_bytes))
        except ValueError as error:
            found["refused"].append(str(error))
            continue
        found["bytes"] += kept.size
        found["unlimited"] += kept.unlimited
        found["compacted"] += [topic["name"]] if kept.compacted else []
    return found


class FilterModule:
    """Ansible's way to find the filter."""

    def filters(self) -> dict[str, Any]:
        return {"retention": retention}
