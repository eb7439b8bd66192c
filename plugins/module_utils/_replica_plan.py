# Copyright (c) 2026, raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: this module util may change at any time, its names are no promise to other collections.

"""Which brokers shall have the replicas of partitions, and which of them shall lead. Nothing here talks to a broker."""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass

from ansible_collections.raspi.kafka.plugins.module_utils._spread import Item, spread

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Key = tuple[str, int]
Replicas = tuple[int, ...]


@dataclass(frozen=True)
class Partition:
    """A partition: its replicas, the preferred leader first, how many it shall have, and its size in bytes."""

    topic: str
    number: int
    replicas: Replicas
    aim: int
    size: int = 0

    @property
    def key(self) -> Key:
        return self.topic, self.number

    @property
    def wanted(self) -> int:
        """How many replicas it gets: none that it has is ever given up for a smaller aim."""
        return max(self.aim, len(self.replicas))


def place(partitions: Sequence[Partition], brokers: Iterable[int]) -> dict[Key, Replicas]:
    """The new replicas of each partition that is not as it shall be, the preferred leader first.

    Of all ways that give each partition its number of replicas and spread them evenly over the brokers, and those of
    each topic, it is one that copies the fewest bytes, and of these one that copies the fewest replicas. Then leaders
    are spread in the same way: what they cost is that another replica leads, and no bytes.

    :param partitions: only such whose replicas are all on `brokers`.
    :param brokers: at least as many as any partition shall have replicas.
    """
    brokers = sorted(brokers)
    partitions = sorted(partitions, key=lambda partition: partition.key)
    chosen = choose(partitions, brokers)
    leaders = choose_leaders(partitions, chosen, brokers)
    placed = {one.key: ordered(one, chosen[one.key], leaders[one.key]) for one in partitions}
    return {one.key: placed[one.key] for one in partitions if placed[one.key] != one.replicas}


def choose(partitions: Sequence[Partition], brokers: list[int]) -> dict[Key, list[int]]:
    """Which brokers have replicas; a byte outweighs any number of replicas."""
    heavy = 1 + sum(partition.wanted for partition in partitions)
    items = [
        Item(
            partition.key,
            partition.topic,
            partition.wanted,
            {broker: 0 if broker in partition.replicas else partition.size * heavy + 1 for broker in brokers},
        )
        for partition in partitions
    ]
    return t.cast("dict[Key, list[int]]", spread(items, brokers))


def choose_leaders(partitions: Sequence[Partition], chosen: dict[Key, list[int]], brokers: list[int]) -> dict[Key, int]:
    """Which of its replicas leads a partition; as many as can stay the preferred leaders that they are."""
    items = [
        Item(
            partition.key,
            partition.topic,
            1,
            {broker: int(broker != partition.replicas[0]) for broker in chosen[partition.key]},
        )
        for partition in partitions
    ]
    return {t.cast("Key", key): takers[0] for key, takers in spread(items, brokers).items()}


def ordered(partition: Partition, chosen: list[int], leader: int) -> Replicas:
    """The leader, and the others in turns: where it fails, the next one leads, which is not to be always the same."""
    if set(chosen) == set(partition.replicas) and leader == partition.replicas[0]:
        return partition.replicas
    others = [broker for broker in chosen if broker != leader]
    turn = partition.number % max(1, len(others))
    return (leader, *others[turn:], *others[:turn])


def copies(partition: Partition, replicas: Replicas) -> list[int]:
    """The brokers that have to copy a partition to have those replicas."""
    return [broker for broker in replicas if broker not in partition.replicas]


def bytes_of(partitions: Iterable[Partition], placed: dict[Key, Replicas]) -> int:
    """What has to be copied in all."""
    return sum(one.size * len(copies(one, placed[one.key])) for one in partitions if one.key in placed)


def shares(replicas: Iterable[Replicas], brokers: Iterable[int]) -> dict[int, dict[str, int]]:
    """Broker -> of how many partitions it has a replica, and how many it leads where all preferred leaders do."""
    replicas = list(replicas)
    has = Counter(broker for each in replicas for broker in each)
    leads = Counter(each[0] for each in replicas)
    return {broker: {"replicas": has[broker], "leaders": leads[broker]} for broker in sorted(brokers)}
