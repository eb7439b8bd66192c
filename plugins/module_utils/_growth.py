# Copyright (c) 2026, raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: this module util may change at any time, its names are no promise to other collections.

"""What a cluster that has grown has to copy and to let lead, and how far it is. Nothing here talks to a broker."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.raspi.kafka.plugins.module_utils._gate import counted
from ansible_collections.raspi.kafka.plugins.module_utils._replica_plan import (
    Key,
    Partition,
    Replicas,
    copies,
    place,
)
from ansible_collections.raspi.kafka.plugins.module_utils._throttle import INHERITED, UNTOUCHED, Mark, throttled

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ansible_collections.raspi.kafka.plugins.module_utils._replicas import Cluster, Placed, Topic

NOTHING = Mark(frozenset(), frozenset())


@dataclass(frozen=True)
class Wish:
    """How many replicas topics shall have, by name, and on which brokers, whether these serve or not."""

    aims: Mapping[str, int]
    brokers: tuple[int, ...]
    named: bool = True
    """Whether somebody has named the brokers, so that one which is not among them and not registered is gone. Kafka
    before 4.0 does not tell of brokers that are merely down (KIP-1073)."""


@dataclass(frozen=True)
class Growth:
    """What is left to do."""

    partitions: tuple[Partition, ...]
    """Those that may be placed anew."""
    placed: Mapping[Key, Replicas]
    marks: Mapping[str, Mark]
    """What is noted at topics until all is done, by topic: of an interrupted run, and what this one adds."""
    noted: Mapping[str, Mapping[str, str | None]]
    """The configs of topics that have to be set before anything moves."""
    waiting: Mapping[str, str]
    """Topic -> a sentence on what cannot be done now."""

    @property
    def by_key(self) -> dict[Key, Partition]:
        return {partition.key: partition for partition in self.partitions}

    @property
    def bytes_to_copy(self) -> int:
        """Of what is placed anew; what is under way is not among it."""
        return sum(self.by_key[key].size * len(copies(self.by_key[key], new)) for key, new in self.placed.items())


@dataclass(frozen=True)
class Progress:
    """How far the copies are of all topics that are marked."""

    left: int
    """Partitions that are not yet where they shall be, or not in sync."""
    partitions: int
    copied: int
    """Bytes of the copies."""
    least: int
    """Bytes of what they are copies of."""
    missing: int
    """Bytes that the copies lack."""
    away: tuple[int, ...] = ()
    """Registered brokers that take part and do not serve: their throttles cannot be taken away."""
    blocked: tuple[int, ...] = ()
    """Those of them, if nothing is left to do without them."""

    @property
    def is_done(self) -> bool:
        return not self.left and not self.away

    def moved_since(self, before: Progress) -> bool:
        return self.left < before.left or self.missing < before.missing

    @property
    def ratio(self) -> float:
        return round(self.copied / self.least, 3) if self.least else 1.0


def mib(number: int) -> str:
    return f"{number / 1048576:.1f} MiB"


def listed(brokers: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(brokers)))


def plan(cluster: Cluster, wish: Wish) -> Growth:
    """What leads from `cluster` to `wish`, whatever an interrupted run has left."""
    up = [broker for broker in wish.brokers if cluster.fenced.get(broker) is False]
    waiting, partitions = {}, []
    for name in sorted(wish.aims.keys() & cluster.topics.keys()):
        sentence, its = candidates(cluster, name, wish, up)
        others = (told_of_others(name, cluster.topics[name]), told_of_lost(name, cluster, wish))
        sentences = [one for one in (sentence, *others) if one]
        waiting |= {name: " ".join(sentences)} if sentences else {}
        partitions += its
    marked = {name: topic.mark for name, topic in cluster.topics.items() if topic.mark}
    placed = place(partitions, up) if is_left(cluster, partitions) or has_grown(cluster, partitions, up) else {}
    # Where enough are left, a broker that is gone is only taken out.
    freed = {one.key: one.replicas for one in partitions if one.replicas != replicas_of(cluster, one)}
    placed = {**freed, **placed}
    added = dict(moves_by_topic(cluster, partitions, placed))
    found = {name: mark_for(cluster.topics[name], its) for name, its in added.items()}
    return Growth(
        partitions=tuple(partitions),
        placed=placed,
        marks={**marked, **{name: mark for name, (mark, _lowered) in found.items()}},
        noted={
            name: throttled(mark, lowered)
            for name, (mark, lowered) in found.items()
            if mark != cluster.topics[name].mark or lowered is not None
        },
        waiting=waiting,
    )


def is_left(cluster: Cluster, partitions: list[Partition]) -> bool:
    """Whether an interrupted run may not have asked for all that it had planned, and nothing is on its way.

    All moves are asked for at once. While they last, each slice of the wait would only find the same again, and to
    plan some hundred partitions takes a Pi a minute.
    """
    moves = any(cluster.topics[one.topic].partitions[one.number].moves for one in partitions)
    return not moves and any(topic.mark for topic in cluster.topics.values())


def has_grown(cluster: Cluster, partitions: list[Partition], up: list[int]) -> bool:
    """Whether there is a reason to place anything anew: too few replicas, or a broker that has none of any topic.

    That one broker has or leads some more than another is none. It comes and goes with every topic, and a second run
    would find something to do.
    """
    thin = any(len(one.replicas) < one.aim for one in partitions)
    every = [placed for topic in cluster.topics.values() for placed in topic.partitions.values()]
    has = {broker for placed in every for broker in placed.replicas}
    return thin or (bool(partitions) and not set(up) <= has)


def moved_by_others(topic: Topic) -> list[int]:
    """The partitions that move and that no mark of ours names: the marks come first, so somebody else moves them."""
    ours = numbers(topic.mark) if topic.mark else []
    return [number for number, placed in topic.partitions.items() if placed.moves and number not in ours]


def told_of_others(name: str, topic: Topic) -> str:
    """Nothing is known then of what is in sync when; another run finds them where they shall be, or goes on."""
    others = moved_by_others(topic)
    if not others:
        return ""
    return f"{counted(len(others), 'partition')} of topic {name} wait until somebody else has moved them."


def told_of_lost(name: str, cluster: Cluster, wish: Wish) -> str:
    """Partitions of which no broker is left."""
    placed = cluster.topics[name].partitions
    lost = {number: one.replicas for number, one in placed.items() if not known(one.replicas, cluster, wish)}
    if not lost:
        return ""
    brokers = {broker for replicas in lost.values() for broker in replicas}
    return (
        f"Nobody has partition {listed(lost)} of topic {name}, since broker {listed(brokers)} was taken out of the "
        "cluster. Bring it back with its disk, or, if that is gone, delete the topic."
    )


def replicas_of(cluster: Cluster, one: Partition) -> Replicas:
    """What Kafka counts as its replicas."""
    return cluster.topics[one.topic].partitions[one.number].replicas


def known(replicas: Replicas, cluster: Cluster, wish: Wish) -> Replicas:
    """Without brokers that were unregistered: Kafka keeps them among the replicas until these are moved."""
    return tuple(each for each in replicas if not wish.named or each in cluster.fenced or each in wish.brokers)


def candidates(cluster: Cluster, name: str, wish: Wish, up: list[int]) -> tuple[str, list[Partition]]:
    """The partitions of a topic that may be placed, and why others wait although they have too few replicas.

    While a broker is down only those with too few are: what is even without it would be uneven when it is back. What
    only brokers had that are gone is left alone: another one would have it without its records.
    """
    aim, others = wish.aims[name], moved_by_others(cluster.topics[name])
    partitions = [
        Partition(name, number, left, aim, cluster.size(name, number))
        for number, placed in cluster.topics[name].partitions.items()
        if number not in others and (left := known(placed.replicas, cluster, wish))
    ]
    thin = [one for one in partitions if len(one.replicas) < aim]
    if aim > len(up):
        down = listed(set(wish.brokers) - set(up))
        why = f"Topic {name} waits with fewer than {counted(aim, 'replica')}: broker {down} does not serve."
        return why if thin else "", []
    movable = partitions if len(up) == len(wish.brokers) else thin
    free = [one for one in movable if set(one.replicas) <= set(up)]
    stuck = [one for one in thin if one not in free]
    if not stuck:
        return "", free
    down = listed({broker for one in stuck for broker in one.replicas} - set(up))
    return f"{counted(len(stuck), 'partition')} of topic {name} wait with too few replicas for broker {down}.", free


Move = tuple[int, "Placed", Replicas]


def moves_by_topic(
    cluster: Cluster, partitions: Iterable[Partition], placed: Mapping[Key, Replicas]
) -> Iterator[tuple[str, list[Move]]]:
    """Topic -> what is to move or moves already: number, how it is, and its new replicas."""
    found: dict[str, list[Move]] = {}
    for one in partitions:
        now = cluster.topics[one.topic].partitions[one.number]
        if one.key in placed or now.moves:
            found.setdefault(one.topic, []).append((one.number, now, placed.get(one.key, one.replicas)))
    yield from found.items()


def mark_for(topic: Topic, moves: list[Move]) -> tuple[Mark, int | None]:
    """What to note at a topic, and to what its min.insync.replicas must be lowered meanwhile.

    As soon as a partition has more replicas, min.insync.replicas may ask for as many of them, though none has its copy
    yet: with one replica of three in sync, acks=all would fail. What was enough before is enough until then.
    """
    mark = topic.mark or NOTHING
    sources = {(number, broker) for number, now, _new in moves for broker in now.has}
    adding = {(number, broker) for number, now, new in moves for broker in set(new) - now.has}
    mark = mark.with_more(sources, adding)
    lowered = min([topic.min_isr, *(len(now.has) for _number, now, new in moves if set(new) - now.has)])
    if lowered == topic.min_isr:
        return mark, None
    if mark.min_isr != UNTOUCHED:
        return mark, lowered
    return replace(mark, min_isr=topic.min_isr if topic.has_min_isr else INHERITED), lowered


def progress(cluster: Cluster, marks: Mapping[str, Mark]) -> Progress:
    """How far it is with the topics of the marks, which may have been deleted since."""
    marks = {name: mark for name, mark in marks.items() if name in cluster.topics}
    sizes = [
        (cluster.size(name, number), cluster.sizes.get((broker, name, number), 0))
        for name, mark in marks.items()
        for number, broker in mark.copies
        if number in cluster.topics[name].partitions
    ]
    touched = [cluster.topics[name].partitions[number] for name, mark in marks.items() for number in numbers(mark)]
    left = [placed for placed in touched if not placed.is_in_sync]
    away = tuple(sorted(broker for broker in named(marks) if cluster.fenced.get(broker)))
    return Progress(
        left=len(left),
        partitions=len(touched),
        copied=sum(copy for _source, copy in sizes),
        least=sum(source for source, _copy in sizes),
        missing=sum(max(0, source - copy) for source, copy in sizes),
        away=away,
        blocked=away if all(placed.lacks and placed.lacks <= set(away) for placed in left) else (),
    )


def numbers(mark: Mark) -> list[int]:
    """The partitions of a topic that a mark is about."""
    return sorted({number for number, _broker in mark.sources | mark.copies})


def named(marks: Mapping[str, Mark]) -> set[int]:
    """The brokers between which bytes flow, by the marks."""
    return {broker for mark in marks.values() if mark.copies for _number, broker in mark.sources | mark.copies}


def throttled_brokers(growth: Growth, cluster: Cluster) -> list[int]:
    """Those of them that serve: each takes a throttle only for itself."""
    return sorted(named(growth.marks) & set(cluster.alive))


def describe(growth: Growth, cluster: Cluster) -> list[str]:
    """The plan in sentences, one for each topic and each kind of change."""
    actions = []
    for name in sorted({topic for topic, _number in growth.placed}):
        changes = [(growth.by_key[key], new) for key, new in growth.placed.items() if key[0] == name]
        actions += describe_topic(name, changes)
    for name in sorted(growth.marks):
        topic = cluster.topics[name]
        moving = sum(placed.moves for placed in topic.partitions.values())
        if moving:
            actions.append(f"go on with {counted(moving, 'partition')} of topic {name}, which are being copied already")
        elif topic.mark and not any(key[0] == name for key in growth.placed):
            actions.append(f"end what an interrupted run began with topic {name}")
    return actions


def describe_topic(name: str, changes: list[tuple[Partition, Replicas]]) -> list[str]:
    actions = []
    raised = [(one, new) for one, new in changes if len(new) > len(one.replicas)]
    moved = [(one, new) for one, new in changes if len(new) == len(one.replicas) and copies(one, new)]
    turned = [one for one, new in changes if not copies(one, new) and new != one.replicas]
    freed = [one for one, new in changes if new == one.replicas]
    if raised:
        had, has = sorted({len(one.replicas) for one, _new in raised}), max(len(new) for _one, new in raised)
        actions.append(
            f"give {counted(len(raised), 'partition')} of topic {name} {counted(has, 'replica')} in place of "
            f"{' and '.join(map(str, had))} ({mib(weight(raised))} to copy)"
        )
    if moved:
        number = sum(len(copies(one, new)) for one, new in moved)
        actions.append(f"move {counted(number, 'replica')} of topic {name} ({mib(weight(moved))} to copy)")
    if turned:
        actions.append(f"let another replica lead {counted(len(turned), 'partition')} of topic {name}")
    if freed:
        actions.append(f"take brokers that are gone out of {counted(len(freed), 'partition')} of topic {name}")
    return actions


def weight(changes: Iterable[tuple[Partition, Replicas]]) -> int:
    return sum(one.size * len(copies(one, new)) for one, new in changes)


def replicas_by_topic(placed: Iterable[tuple[Key, Replicas]]) -> dict[str, dict[str, list[int]]]:
    """Topic -> partition -> its replicas, for the diff."""
    found: dict[str, dict[str, list[int]]] = {}
    for (name, number), replicas in placed:
        found.setdefault(name, {})[str(number)] = list(replicas)
    return found
