# Copyright (c) 2026, raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: this module util may change at any time, its names are no promise to other collections.

"""What makes messages a proof: which are sent, and what is compared. Nothing here talks to a broker."""

from __future__ import annotations

import json
import math
import time
import typing as t
import uuid
from dataclasses import dataclass

from ansible_collections.raspi.kafka.plugins.module_utils._kafka import ExpectedError, join_server
from ansible_collections.raspi.kafka.plugins.module_utils._log_segments import Record

if t.TYPE_CHECKING:
    from collections.abc import Collection, Mapping

SHOWN = 3  # examples in a message; the rest is counted

Place = tuple[int, int]  # partition and offset


@dataclass(frozen=True)
class Broker:
    """A broker at the address it advertises, and the partition through which it is proven."""

    id: int
    host: str
    port: int

    @property
    def address(self) -> str:
        return join_server(self.host, self.port)


def new_run_id() -> str:
    """What tells the messages of one run from those of all others."""
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{uuid.uuid4().hex[:8]}"


def messages_of(run_id: str, broker: int, count: int) -> list[Record]:
    """Numbered messages; the key tells the run, so that a reader can leave all others aside."""
    return [
        Record(
            key=f"{run_id}/{broker}/{number}".encode(),
            value=json.dumps({"run": run_id, "broker": broker, "message": number, "of": count}).encode(),
        )
        for number in range(1, count + 1)
    ]


def is_of_run(run_id: str, key: bytes | None) -> bool:
    return key is not None and key.startswith(f"{run_id}/".encode())


def percentile(values: Collection[float], percent: int) -> float:
    """The smallest value that is not below `percent` of the values (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def some(items: Collection[str]) -> str:
    """A few examples, and how many more there are."""
    listed = list(items)
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return ", ".join(listed[:SHOWN]) + more


def named(place: Place) -> str:
    return f"partition {place[0]} offset {place[1]}"


def text_of(record: Record) -> str:
    return f"key {(record.key or b'')[:80]!r}, value {(record.value or b'')[:120]!r}"


def judge_addresses(brokers: Collection[Broker]) -> None:
    """Each broker has an address of its own, else it would be one broker that is proven several times."""
    seen: dict[str, Broker] = {}
    for broker in brokers:
        other = seen.setdefault(broker.address, broker)
        if other is not broker:
            raise ExpectedError(
                f"Brokers {other.id} and {broker.id} both advertise {broker.address}. If it is the loopback listener, "
                "name the LAN listener in bootstrap_servers; if not, correct what one of them advertises.",
                reason="same_address",
            )


def judge_beginning(first: Mapping[int, int], log_start: Mapping[int, int], end: Mapping[int, int]) -> None:
    """The first record read of each partition is the oldest that the broker has.

    `log_start` is taken after the reading: retention may have moved it up meanwhile, never down.
    """
    for partition, oldest in log_start.items():
        if partition in first and first[partition] > oldest:
            raise ExpectedError(
                f"Partition {partition} was not consumed from the beginning: the oldest record has offset {oldest}, "
                f"the first one read has {first[partition]}. Look whether the topic is compacted.",
                reason="not_from_beginning",
            )
        if partition not in first and end[partition] > oldest:
            raise ExpectedError(
                f"Partition {partition} was not consumed from the beginning: it holds offsets {oldest} to "
                f"{end[partition] - 1}, and no record of it was read.",
                reason="not_from_beginning",
            )


def judge_records(acked: Mapping[Place, Record], found: Mapping[Place, Record], where: str, absent: str) -> None:
    """Every acknowledged record is at its place with its key and value, and nothing else of this run is there.

    `where` is for the reader ("read by the consumer"), `absent` is the reason if records are missing.
    """
    lost = [place for place in acked if place not in found]
    if lost:
        elsewhere = {record: place for place, record in found.items()}
        moved = [place for place in lost if acked[place] in elsewhere]
        hint = "".join(f" That of {named(place)} is at {named(elsewhere[acked[place]])}." for place in moved[:SHOWN])
        missing = some([named(place) for place in lost])
        raise ExpectedError(
            f"{len(lost)} of {len(acked)} acknowledged records were not {where}: {missing}.{hint}",
            reason=absent,
            missing=len(lost),
        )
    for place, record in acked.items():
        if found[place] != record:
            raise ExpectedError(
                f"The record of {named(place)} {where} is not the one that was acknowledged: {text_of(found[place])} "
                f"instead of {text_of(record)}.",
                reason="different",
            )
    extra = [place for place in found if place not in acked]
    if extra:
        listed = some([named(place) for place in extra])
        raise ExpectedError(
            f"{len(extra)} records of this run {where} were not acknowledged in it: {listed}. "
            "Either they were stored twice, or the run_id was used before: leave run_id out.",
            reason="unexpected",
        )


def assign(brokers: Collection[Broker], partitions: Collection[Mapping[str, t.Any]], topic: str) -> dict[int, int]:
    """For each broker a partition of the topic which it leads."""
    leads: dict[int, int] = {}
    for partition in partitions:
        if partition["leader_id"] < 0:
            raise ExpectedError(
                f"Partition {partition['partition_index']} of topic {topic} has no leader. "
                f"Its replicas are on brokers {partition['replica_nodes']}: look which of them is down.",
                reason="no_leader",
            )
        leads.setdefault(partition["leader_id"], partition["partition_index"])
    without = [broker.id for broker in brokers if broker.id not in leads]
    if without:
        raise ExpectedError(
            f"No partition of topic {topic}, which has {len(partitions)}, is led by broker "
            f"{some([str(number) for number in without])}. Give it a partition for each broker, with its first "
            "replica there.",
            reason="no_leader",
        )
    return leads


def brokers_of(cluster: Mapping[str, t.Any]) -> list[Broker]:
    return [
        Broker(broker["broker_id"], broker["host"], broker["port"])
        for broker in sorted(cluster["brokers"], key=lambda broker: broker["broker_id"])
        if not broker.get("is_fenced")
    ]
