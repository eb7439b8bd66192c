# Copyright (c) 2026, raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: this module util may change at any time, its names are no promise to other collections.

"""May a node of a KRaft cluster stop now? Nothing here talks to a broker.

The quorum is judged by time and not by offsets, as Strimzi does before it rolls a controller: a voter that fetches all
the time lacks a few records at any moment. All times are by the clock of the active controller, which is the one that
DescribeQuorum tells (KIP-595, KIP-836). No sentence holds a time or an offset, so that an equal state reads equal.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.raspi.kafka.plugins.module_utils._quorum import quorum_info

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SHOWN = 3  # states of ISR in a sentence
STALL_MS = 5000  # a process that writes to a card may do nothing else for so long, and still be there


@dataclass(frozen=True)
class Replica:
    """A voter or an observer of the metadata log; None is what the active controller does not know of it (yet)."""

    id: int
    directory_id: str | None
    caught_up_lag_ms: int | None
    """How long before the active controller it had the whole metadata log last."""
    fetch_lag_ms: int | None
    """How long before the active controller's now it fetched last."""
    last_fetch_ms: int | None
    """When it fetched last, since the epoch."""


@dataclass(frozen=True)
class Partition:
    """A partition, and the effective min.insync.replicas of its topic."""

    topic: str
    number: int
    replicas: frozenset[int]
    isr: frozenset[int]
    min_isr: int


@dataclass(frozen=True)
class State:
    """What a cluster tells about itself in one look."""

    cluster_id: str
    leader_id: int | None
    """The active controller."""
    no_quorum: str | None
    """Why the quorum could not be described; the voters and observers are unknown then."""
    voters: tuple[Replica, ...]
    observers: tuple[Replica, ...]
    fenced: Mapping[int, bool]
    """Whether a registered broker is fenced, by its id."""
    partitions: tuple[Partition, ...]
    fetch_timeout_ms: int

    @property
    def nodes(self) -> list[int]:
        return sorted({*self.fenced, *self.voter_ids})

    @property
    def voter_ids(self) -> list[int]:
        return [voter.id for voter in self.voters]

    def replica(self, node: int) -> Replica | None:
        return next((replica for replica in (*self.voters, *self.observers) if replica.id == node), None)

    def is_caught_up(self, replica: Replica) -> bool:
        return replica.caught_up_lag_ms is not None and replica.caught_up_lag_ms < self.fetch_timeout_ms

    def fetches(self, node: int) -> bool:
        """Whether a node reads the metadata log, as its process does for as long as it lives."""
        replica = self.replica(node)
        lag = replica.fetch_lag_ms if replica else None
        return lag is not None and lag < max(self.fetch_timeout_ms, STALL_MS)

    def serves(self, node: int) -> bool:
        return self.fenced.get(node) is False

    def is_broker(self, node: int) -> bool:
        """Whether it is one, registered or not: a dedicated controller has no replica of a partition."""
        return node in self.fenced or any(node in partition.replicas for partition in self.partitions)

    def out_of_sync(self, node: int) -> int:
        """Number of partitions of which its replica is not in sync."""
        return sum(node in partition.replicas - partition.isr for partition in self.partitions)

    def recovers(self, node: int) -> bool:
        """Whether it is a broker that runs and does not serve: it loads or recovers its log, and is fenced for that."""
        return self.is_broker(node) and not self.serves(node) and self.fetches(node)

    @property
    def recovering(self) -> list[int]:
        return [replica.id for replica in (*self.voters, *self.observers) if self.recovers(replica.id)]


@dataclass
class Verdict:
    """Whether a node may stop now: not for the reasons; `named` is what its stop means although it may."""

    id: int
    reasons: list[str] = field(default_factory=list)
    named: list[str] = field(default_factory=list)

    @property
    def may_stop(self) -> bool:
        return not self.reasons


def replicas_of(described: Iterable[Mapping[str, t.Any]], now: int) -> tuple[Replica, ...]:
    return tuple(
        Replica(
            id=one["id"],
            directory_id=one["directory_id"],
            caught_up_lag_ms=one["caught_up_lag_ms"],
            fetch_lag_ms=None if one["last_fetch_timestamp"] is None else max(0, now - one["last_fetch_timestamp"]),
            last_fetch_ms=one["last_fetch_timestamp"],
        )
        for one in described
    )


def partitions_of(topics: Iterable[Mapping[str, t.Any]], min_isr: Mapping[str, int]) -> tuple[Partition, ...]:
    return tuple(
        Partition(
            topic=topic["name"],
            number=partition["partition_index"],
            replicas=frozenset(partition["replica_nodes"]),
            isr=frozenset(partition["isr_nodes"]),
            min_isr=min_isr[topic["name"]],
        )
        for topic in sorted(topics, key=lambda topic: topic["name"])
        for partition in sorted(topic["partitions"], key=lambda partition: partition["partition_index"])
    )


def state_of(answers: Mapping[str, t.Any], fetch_timeout_ms: int) -> State:
    """The answers to DescribeCluster (`cluster`), DescribeQuorum (`quorum`) and Metadata (`topics`), and `min_isr` by
    topic; where `quorum` is None, `no_quorum` says why.
    """
    no_quorum = answers["no_quorum"] or leaderless(answers["quorum"])
    voters: tuple[Replica, ...] = ()
    observers: tuple[Replica, ...] = ()
    leader = None
    if no_quorum is None:
        quorum = quorum_info(answers["quorum"])
        leader = quorum["leader_id"]
        now = next(voter["last_fetch_timestamp"] for voter in quorum["voters"] if voter["id"] == leader)
        voters, observers = (replicas_of(quorum[kind], now) for kind in ("voters", "observers"))
    return State(
        cluster_id=answers["cluster"]["cluster_id"],
        leader_id=leader,
        no_quorum=no_quorum,
        voters=voters,
        observers=observers,
        fenced={broker["broker_id"]: bool(broker.get("is_fenced")) for broker in answers["cluster"]["brokers"]},
        partitions=partitions_of(answers["topics"], answers["min_isr"]),
        fetch_timeout_ms=fetch_timeout_ms,
    )


def leaderless(quorum: Mapping[str, t.Any]) -> str | None:
    """Why a description has no clock to judge by: also an active controller that leaves the voters leads on for a
    moment (KIP-853), until that is committed.
    """
    partition = quorum["topics"][0]["partitions"][0]
    if partition["leader_id"] in [voter["replica_id"] for voter in partition["current_voters"]]:
        return None
    return "no voter is the active controller at the moment"


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def ids(nodes: Iterable[int]) -> str:
    return ",".join(map(str, sorted(nodes)))


def judge(state: State, node: int) -> Verdict:
    """Whether a node may stop now."""
    if state.no_quorum is not None:
        return Verdict(node, reasons=[state.no_quorum])
    found = Verdict(node)
    runs = state.serves(node) or state.fetches(node)
    if not runs:
        found.named.append(absence(state, node))
    if node in state.voter_ids and (runs or never_fetched(state, node)):
        judge_quorum(state, node, found)
    if runs and state.recovers(node):
        found.reasons.append(
            f"broker {node} {'is fenced' if node in state.fenced else 'is not registered'} but fetches metadata: it is "
            "loading or recovering its log, which a stop would make it begin anew"
        )
    if runs:
        judge_partitions(state, node, found)
    return found


def never_fetched(state: State, node: int) -> bool:
    """Whether the active controller, which may be new, has yet to hear of a node: it may run all the same."""
    replica = state.replica(node)
    return replica is not None and replica.last_fetch_ms is None


def absence(state: State, node: int) -> str:
    if node not in state.nodes:
        return f"node {node} is neither a voter nor a registered broker, and fetches no metadata"
    return f"node {node} fetches no metadata any more: it is down, and its stop takes nothing away"


def judge_quorum(state: State, node: int, found: Verdict) -> None:
    """A majority of the voters is caught up without the node; where none can be, it is named."""
    others = [voter for voter in state.voters if voter.id != node]
    behind = [voter.id for voter in others if not state.is_caught_up(voter)]
    voters, majority = len(others) + 1, (len(others) + 1) // 2 + 1
    if not others:
        found.named.append("it is the only controller: the cluster stands still while it is down")
    elif len(others) == 1 and not behind:
        found.named.append("it is one of two voters: there is no majority, and no active controller, while it is down")
    elif len(others) - len(behind) < majority:
        found.reasons.append(
            f"{len(others) - len(behind)} of {counted(voters, 'voter')} would be caught up with the metadata log "
            f"without it, fewer than the majority of {majority} (behind: {ids(behind)})"
        )


def judge_partitions(state: State, node: int, found: Verdict) -> None:
    """Topic by topic, what becomes of the partitions with a replica on the node."""
    topics: dict[str, list[Partition]] = {}
    for partition in state.partitions:
        if node in partition.replicas:
            topics.setdefault(partition.topic, []).append(partition)
    for topic, partitions in topics.items():
        judge_topic(state, node, topic, partitions, found)


def judge_topic(state: State, node: int, topic: str, partitions: list[Partition], found: Verdict) -> None:
    """A partition keeps min.insync.replicas without the node; one that never has more replicas is named."""
    exposed = [one for one in partitions if len(one.replicas) <= one.min_isr]
    spared = [one for one in partitions if len(one.replicas) > one.min_isr]
    alone = [one for one in exposed if one.isr <= {node}]
    unwritable = [one for one in exposed if not one.isr <= {node}]
    falling = [one for one in spared if node in one.isr and len(one.isr) <= one.min_isr]
    waiting = [one for one in spared if node not in one.isr and len(one.isr) < one.min_isr]
    if alone:
        found.named.append(f"{topic}: {counted(len(alone), 'partition')} cannot be used at all while it is down")
    if unwritable:
        found.named.append(
            f"{topic}: {counted(len(unwritable), 'partition')} cannot be written to while it is down, having no more "
            f"replicas than min.insync.replicas={unwritable[0].min_isr}"
        )
    if falling:
        found.reasons.append(
            f"{topic}: {counted(len(falling), 'partition')} would fall below {in_sync(falling)}"
            f"{why_behind(state, node, falling)}"
        )
    if waiting:
        found.reasons.append(
            f"{topic}: {counted(len(waiting), 'partition')} below {in_sync(waiting)} "
            f"cannot come back without it{why_behind(state, node, waiting)}"
        )


def in_sync(partitions: list[Partition]) -> str:
    """Such as "min.insync.replicas=2 (ISR now 1,2 or 1,3)"."""
    found = sorted({ids(partition.isr) or "empty" for partition in partitions})
    more = f" or {len(found) - SHOWN} others" if len(found) > SHOWN else ""
    return f"min.insync.replicas={partitions[0].min_isr} (ISR now {' or '.join(found[:SHOWN])}{more})"


def why_behind(state: State, node: int, partitions: list[Partition]) -> str:
    """What is known of the other brokers that are not in sync."""
    behind = {replica for partition in partitions for replica in partition.replicas - partition.isr} - {node}
    sentences = [f"broker {broker} {condition(state, broker)}" for broker in sorted(behind)]
    return f": {', '.join(sentences)}" if sentences else ""


def condition(state: State, broker: int) -> str:
    if state.recovers(broker):
        return "is recovering its log"
    return "is catching up" if state.serves(broker) else "is down"


def progressed(before: State, now: State, node: int) -> bool:
    """Whether anything came nearer to a state in which the node may stop, between two looks."""
    return (
        judge(before, node).reasons != judge(now, node).reasons
        or isr_grew(before, now)
        or any(now.serves(broker) and not before.serves(broker) for broker in now.fenced)
        or bool(caught_up(now) - caught_up(before))
        or any(fetched_again(before, now, broker) for broker in now.recovering)
    )


def isr_grew(before: State, now: State) -> bool:
    isr = {(one.topic, one.number): one.isr for one in before.partitions}
    return any(one.isr - isr.get((one.topic, one.number), one.isr) for one in now.partitions)


def caught_up(state: State) -> set[int]:
    return {voter.id for voter in state.voters if state.is_caught_up(voter)}


def fetched_again(before: State, now: State, broker: int) -> bool:
    """Whether the broker's process has lived on."""
    old, new = before.replica(broker), now.replica(broker)
    return bool(old and new and (new.last_fetch_ms or 0) > (old.last_fetch_ms or 0))
