# Copyright (c) 2026, raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: this module util may change at any time, its names are no promise to other collections.

"""Throttles of replication (KIP-73), and a mark in them by which those of this collection are known.

Whoever is interrupted while replicas are copied must find later what it has set, and nobody else's. Kafka keeps no such
note; but a topic lists its throttled replicas as PARTITION:BROKER, and one at a broker that there is not throttles
nothing. The mark is such an entry. In the place of its partition it has what min.insync.replicas has to become
again: 0 if it was left as it is, 1 if the topic had none of its own, else that one, which is at least 2.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MIN_ISR = "min.insync.replicas"
LEADERS, FOLLOWERS = "leader.replication.throttled.replicas", "follower.replication.throttled.replicas"
RATES = ("leader.replication.throttled.rate", "follower.replication.throttled.rate")
TOPIC_KEYS = [MIN_ISR, LEADERS, FOLLOWERS]
NO_BROKER = 2147483647
UNTOUCHED, INHERITED = 0, 1  # of min.insync.replicas

Replica = tuple[int, int]


@dataclass(frozen=True)
class Mark:
    """What is noted at a topic: replicas as (partition, broker), those copied from and those that copy."""

    sources: frozenset[Replica]
    copies: frozenset[Replica]
    min_isr: int = UNTOUCHED

    def with_more(self, sources: Iterable[Replica], copies: Iterable[Replica]) -> Mark:
        return Mark(self.sources | set(sources), self.copies | set(copies), self.min_isr)


def replicas_of(text: str | None) -> set[Replica]:
    """The entries of a list of throttled replicas; "*", which means all, is none."""
    pairs = (entry.partition(":") for entry in (text or "").split(",") if ":" in entry)
    return {(int(partition), int(broker)) for partition, _colon, broker in pairs}


def text_of(replicas: Iterable[Replica]) -> str:
    return ",".join(f"{partition}:{broker}" for partition, broker in sorted(replicas))


def mark_of(configs: Mapping[str, str | None]) -> Mark | None:
    """The mark at a topic out of its own configs; None if this collection has not throttled it."""
    sources, copies = replicas_of(configs.get(LEADERS)), replicas_of(configs.get(FOLLOWERS))
    marks = {one for one in sources if one[1] == NO_BROKER}
    if not marks:
        return None
    return Mark(frozenset(sources - marks), frozenset(copies), max(number for number, _broker in marks))


def is_foreign(configs: Mapping[str, str | None]) -> bool:
    """Whether somebody else has throttled a topic."""
    return mark_of(configs) is None and bool(configs.get(LEADERS) or configs.get(FOLLOWERS))


def throttled(mark: Mark, lowered_to: int | None) -> dict[str, str | None]:
    """The configs that throttle a topic and mark it, and lower its min.insync.replicas where a number is given."""
    configs: dict[str, str | None] = {
        LEADERS: text_of({*mark.sources, (mark.min_isr, NO_BROKER)}),
        FOLLOWERS: text_of(mark.copies),
    }
    return configs if lowered_to is None else {**configs, MIN_ISR: str(lowered_to)}


def released(mark: Mark) -> dict[str, str | None]:
    """The configs that take it all back; None resets one."""
    configs: dict[str, str | None] = {LEADERS: None, FOLLOWERS: None}
    if mark.min_isr == UNTOUCHED:
        return configs
    return {**configs, MIN_ISR: None if mark.min_isr == INHERITED else str(mark.min_isr)}
