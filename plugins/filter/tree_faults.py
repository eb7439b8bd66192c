# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
name: tree_faults
short_description: Find what is wrong with topic trees of MQTT
version_added: 0.1.0
author: raspi.kafka contributors (@raspi-kafka)
description:
  - A tree is a filter of MQTT whose messages go to Kafka, and who may publish there. Its keys are C(filter), C(topic),
    C(publishers) and C(reads), as the variable C(mosquitto_trees) explains them.
  - Trees must not overlap, or a message would be stored twice.
options:
  _input:
    description: The trees, as they were declared; they may be malformed.
    type: raw
    required: true
  taken:
    description: Filters that are taken already.
    type: list
    elements: str
    default: []
  not_for_kafka:
    description: Filters below which this collection publishes what is in Kafka already.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Say what is wrong with the trees
  ansible.builtin.debug:
    msg: "{{ [{'filter': 'tele/+/#'}] | raspi.kafka.tree_faults(taken=['devices/+/#']) }}"
"""

RETURN = r"""
_value:
  description: Sentences, one for each fault.
  type: list
  elements: str
"""

import difflib
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_KEYS = ("filter", "topic", "publishers", "reads")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_RESERVED = "raspi-kafka-"
_MOST_BYTES = 65535  # MQTT 5, 1.5.4: the length of a text has two bytes
_AS_A_LIST = 'Give a list, on the command line as JSON: -e \'{"mosquitto_trees": [{"filter": "tele/+/#"}]}\'.'


def is_filter(text: Any) -> bool:
    """Whether this is a topic filter (MQTT 5, 4.7), and none of the broker's own ($...).

    White space and percent signs mean something in Mosquitto's access control list.
    """
    if not isinstance(text, str) or not text or re.search(r"[\s%\x00-\x1f\x7f]", text) or text.startswith("$"):
        return False
    levels = text.split("/")
    wild = all(level in ("+", "#") or not re.search("[+#]", level) for level in levels)
    return wild and "#" not in levels[:-1] and len(text.encode()) <= _MOST_BYTES


def is_topic(text: Any) -> bool:
    """Whether Kafka takes this as the name of a topic (org.apache.kafka.common.internals.Topic)."""
    return isinstance(text, str) and bool(re.fullmatch(r"[A-Za-z0-9._-]{1,249}", text)) and text not in (".", "..")


def overlap(one: str, other: str) -> bool:
    """Whether a topic exists that both filters match. A ``#`` matches its parent too (MQTT 5, 4.7.1.2)."""
    for a, b in itertools.zip_longest(one.split("/"), other.split("/")):
        if "#" in (a, b):
            return True
        if a is None or b is None or (a != b and "+" not in (a, b)):
            return False
    return True


def faults_of_keys(tree: Mapping[str, Any], name: str) -> Iterator[str]:
    """Keys that are not known."""
    for key in sorted(set(map(str, tree)) - set(_KEYS)):
        near = difflib.get_close_matches(key, _KEYS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(_KEYS)}."
        yield f"The tree {name} has the key {key}, which is not known; {hint}"


def faults_of_publishers(publishers: Any, name: str) -> Iterator[str]:
    """Names that no user can have."""
    if not isinstance(publishers, list):
        yield f'The tree {name} has publishers that are no list ({publishers!r}). Write them as ["zigbee2mqtt"].'
        return
    for one in publishers:
        if not isinstance(one, str) or not _NAME.fullmatch(one):
            yield (
                f"The tree {name} has the publisher {one!r}. A name has 1 to 64 letters, digits, dots, underscores and "
                "hyphens, the first of them a letter or a digit."
            )
        elif one.startswith(_RESERVED):
            yield f"The tree {name} has the publisher {one}. Names that begin with {_RESERVED} are this collection's."


def faults_of_reads(reads: Any, name: str) -> Iterator[str]:
    """What is no filter."""
    if not isinstance(reads, list):
        yield f'The tree {name} has reads that are no list ({reads!r}). Write them as ["cmnd/+/#"].'
        return
    for one in reads:
        if not is_filter(one):
            yield f"The tree {name} reads {one!r}, which is no filter of MQTT, or begins with $."


def faults_of(tree: Any) -> Iterator[str]:
    """What is wrong with one tree by itself."""
    if not isinstance(tree, Mapping) or "filter" not in tree:
        yield f"mosquitto_trees has the entry {tree!r}, which is no tree with a filter. {_AS_A_LIST}"
        return
    name = str(tree["filter"])
    yield from faults_of_keys(tree, name)
    if not is_filter(tree["filter"]):
        yield (
            f"The tree {name} has no filter of MQTT: + stands for a level and # for all that follow, alone between "
            "slashes. It may not begin with $, nor have blanks or percent signs."
        )
    elif "+" not in name.split("/"):
        yield f"The tree {name} has no +, so that no level names the device. Write it like tele/+/#."
    if not is_topic(tree.get("topic", "telemetry")):
        yield (
            f"The tree {name} has the topic {tree['topic']!r}. A topic of Kafka has 1 to 249 letters, digits, dots, "
            "underscores and hyphens."
        )
    yield from faults_of_publishers(tree.get("publishers", []), name)
    yield from faults_of_reads(tree.get("reads", []), name)


def faults_between(filters: Sequence[str]) -> Iterator[str]:
    """Filters that match the same topic."""
    for one, other in itertools.combinations(filters, 2):
        if overlap(one, other):
            yield (
                f"The trees {one} and {other} overlap: a message would be stored twice. Make them differ in a level "
                "that is no wildcard in either, or leave one out."
            )


def faults_below(filters: Sequence[str], not_for_kafka: Sequence[str]) -> Iterator[str]:
    """Filters that match what is not for Kafka."""
    for tree, place in itertools.product(filters, not_for_kafka):
        if overlap(tree, place):
            yield (
                f"The tree {tree} overlaps {place}, where this collection publishes what is in Kafka already. "
                "Name another."
            )


def tree_faults(trees: Any, taken: Sequence[str] = (), not_for_kafka: Sequence[str] = ()) -> list[str]:
    """See DOCUMENTATION."""
    if not isinstance(trees, list):
        return [f"mosquitto_trees is {'a text' if isinstance(trees, str) else 'no list'} ({trees!r}). {_AS_A_LIST}"]
    found = [fault for tree in trees for fault in faults_of(tree)]
    filters = [tree["filter"] for tree in trees if isinstance(tree, Mapping) and is_filter(tree.get("filter"))]
    return [*found, *faults_between([*taken, *filters]), *faults_below(filters, not_for_kafka)]


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Any]:
        return {"tree_faults": tree_faults}
