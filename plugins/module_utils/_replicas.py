# Copyright (c) 2026, raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: this module util may change at any time, its names are no promise to other collections.

"""Where the replicas of a cluster are, how large they are, and how they are moved."""

from __future__ import annotations

import typing as t
from contextlib import suppress
from dataclasses import dataclass

from ansible_collections.raspi.kafka.plugins.module_utils._kafka import (
    BROKER,
    DYNAMIC_BROKER_CONFIG,
    DYNAMIC_TOPIC_CONFIG,
    TOPIC,
    ExpectedError,
    alter_configs,
    describe_configs,
    explain_code,
    join_server,
    send,
)
from ansible_collections.raspi.kafka.plugins.module_utils._throttle import (
    MIN_ISR,
    RATES,
    TOPIC_KEYS,
    Mark,
    is_foreign,
    mark_of,
)

with suppress(ImportError):  # _kafka.require_kafka_python() has the sentence for it
    from kafka.errors import for_code
    from kafka.protocol.admin import (
        AlterPartitionReassignmentsRequest,
        DescribeLogDirsRequest,
        ListPartitionReassignmentsRequest,
    )

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ansible_collections.raspi.kafka.plugins.module_utils._kafka import ConfigEntry
    from kafka.admin import KafkaAdminClient

Key = tuple[str, int]
Replicas = tuple[int, ...]


@dataclass(frozen=True)
class Placed:
    """A partition as it is, or where it moves as it will be: the preferred leader is the first of its replicas."""

    leader: int
    replicas: Replicas
    isr: frozenset[int]
    adding: frozenset[int] = frozenset()
    removing: frozenset[int] = frozenset()

    @property
    def moves(self) -> bool:
        return bool(self.adding or self.removing)

    @property
    def has(self) -> frozenset[int]:
        """The brokers that had it before it began to move."""
        return frozenset(self.replicas) - self.adding | self.removing

    @property
    def lacks(self) -> frozenset[int]:
        """The brokers that are to have it, and are not in sync."""
        return frozenset(self.replicas) - self.isr

    @property
    def is_in_sync(self) -> bool:
        """Whether it is where it shall be, with all that it had."""
        return not self.moves and not self.lacks


@dataclass(frozen=True)
class Topic:
    internal: bool
    partitions: Mapping[int, Placed]
    min_isr: int
    """The effective min.insync.replicas."""
    has_min_isr: bool
    """Whether it is the topic's own."""
    mark: Mark | None
    is_foreign: bool
    """Whether it is throttled by somebody else."""


@dataclass(frozen=True)
class Cluster:
    """What brokers tell in one look."""

    fenced: Mapping[int, bool]
    """Whether a registered broker is fenced, by its id."""
    topics: Mapping[str, Topic]
    sizes: Mapping[tuple[int, str, int], int]
    """Bytes on a disk, by broker, topic and partition."""
    free: Mapping[int, int]
    """Bytes that a broker can still write."""
    rates: Mapping[int, Mapping[str, str | None]]
    """The throttles of a broker, by its id: bytes a second."""

    @property
    def alive(self) -> list[int]:
        return sorted(broker for broker, fenced in self.fenced.items() if not fenced)

    def size(self, topic: str, number: int) -> int:
        """Bytes of a partition: of its leader, or where nobody knows, of its largest replica."""
        placed = self.topics[topic].partitions[number]
        largest = max((self.sizes.get((broker, topic, number), 0) for broker in self.fenced), default=0)
        return self.sizes.get((placed.leader, topic, number), largest)


def look(admin: KafkaAdminClient) -> Cluster:
    """All that there is to know.

    :raises KafkaError: a broker does not answer, for one.
    :raises ExpectedError: the brokers cannot be asked each for itself.
    """
    brokers = admin.describe_cluster()["brokers"]
    fenced = {broker["broker_id"]: bool(broker.get("is_fenced")) for broker in brokers}
    alive = [broker for broker, is_fenced in sorted(fenced.items()) if not is_fenced]
    check_addresses([broker for broker in brokers if broker["broker_id"] in alive])
    sizes, free = {}, {}
    for broker in alive:
        found, free[broker] = log_dirs(admin, broker)
        sizes |= {(broker, *key): size for key, size in found.items()}
    return Cluster(fenced, topics_of(admin), sizes, free, {broker: rates_of(admin, broker) for broker in alive})


def check_addresses(brokers: list[dict[str, t.Any]]) -> None:
    """Behind a loopback listener every broker has the same address, and one would answer for all."""
    addresses = {join_server(broker["host"], broker["port"]) for broker in brokers}
    if len(addresses) < len(brokers):
        raise ExpectedError(
            f"Brokers {', '.join(str(broker['broker_id']) for broker in brokers)} share one address on the listener "
            "that was asked, so they cannot be asked each for itself. Name the LAN listener in bootstrap_servers.",
            reason="wrong_broker",
        )


def topics_of(admin: KafkaAdminClient) -> dict[str, Topic]:
    # What has ended between the two answers is described in one way or the other.
    moving = admin.list_partition_reassignments()
    described = admin.describe_topics()
    configs = describe_configs(admin, TOPIC, [topic["name"] for topic in described], keys=TOPIC_KEYS)
    moving |= admin.list_partition_reassignments()
    under_way = {(key.topic, key.partition): move for key, move in moving.items()}
    return {topic["name"]: topic_of(topic, configs[topic["name"]], under_way) for topic in described}


def topic_of(
    described: Mapping[str, t.Any], configs: Mapping[str, ConfigEntry], moving: Mapping[Key, Mapping[str, t.Any]]
) -> Topic:
    own = {name: entry.value for name, entry in configs.items() if entry.source == DYNAMIC_TOPIC_CONFIG}
    return Topic(
        internal=described["is_internal"],
        partitions={
            one["partition_index"]: placed_of(one, moving.get((described["name"], one["partition_index"])))
            for one in sorted(described["partitions"], key=lambda one: one["partition_index"])
        },
        min_isr=int(configs[MIN_ISR].value or 1),
        has_min_isr=MIN_ISR in own,
        mark=mark_of(own),
        is_foreign=is_foreign(own),
    )


def placed_of(partition: Mapping[str, t.Any], move: Mapping[str, t.Any] | None) -> Placed:
    """While a partition moves, its replicas are those that it leaves too; see KIP-455."""
    move = move or {"replicas": partition["replica_nodes"], "adding_replicas": [], "removing_replicas": []}
    removing = frozenset(move["removing_replicas"])
    return Placed(
        leader=partition["leader_id"],
        replicas=tuple(broker for broker in move["replicas"] if broker not in removing),
        isr=frozenset(partition["isr_nodes"]),
        adding=frozenset(move["adding_replicas"]),
        removing=removing,
    )


def being_added(admin: KafkaAdminClient, timeout_ms: int) -> dict[Key, frozenset[int]]:
    """The brokers that do not have a partition yet which they shall have; any broker asks the active controller.

    :raises KafkaError: there is no active controller, for one.
    """
    request = ListPartitionReassignmentsRequest(timeout_ms=timeout_ms, topics=None)
    response = send(admin, request, timeout_ms=timeout_ms)
    if response.error_code:
        raise for_code(response.error_code)(response.error_message)
    return {
        (topic.name, one.partition_index): frozenset(one.adding_replicas)
        for topic in response.topics
        for one in topic.partitions
    }


def without_copies(
    topics: Iterable[Mapping[str, t.Any]], adding: Mapping[Key, frozenset[int]]
) -> list[dict[str, t.Any]]:
    """Topics as they are described, but without replicas that are only being copied: nobody may count on them yet.

    One that is in sync counts, although its partition still moves (KIP-455).

    :param topics: as KafkaAdminClient.describe_topics() returns them.
    :param adding: as being_added() returns it.
    """

    def counts(topic: str, one: Mapping[str, t.Any], broker: int) -> bool:
        return broker in one["isr_nodes"] or broker not in adding.get((topic, one["partition_index"]), ())

    return [
        {
            **topic,
            "partitions": [
                {**one, "replica_nodes": [each for each in one["replica_nodes"] if counts(topic["name"], one, each)]}
                for one in topic["partitions"]
            ],
        }
        for topic in topics
    ]


def log_dirs(admin: KafkaAdminClient, broker: int) -> tuple[dict[Key, int], int]:
    """Bytes of each replica of a broker, and what it can still write."""
    response = send(admin, DescribeLogDirsRequest(topics=None), broker)
    if error := getattr(response, "error_code", 0):
        raise for_code(error)
    sizes = {
        (topic.name, one.partition_index): one.partition_size
        for result in response.results
        for topic in result.topics
        for one in topic.partitions
        if not one.is_future_key
    }
    return sizes, sum(result.usable_bytes for result in response.results if not result.error_code)


def rates_of(admin: KafkaAdminClient, broker: int) -> dict[str, str | None]:
    entries = describe_configs(admin, BROKER, [str(broker)], broker, list(RATES))[str(broker)]
    return {name: entry.value for name, entry in entries.items() if entry.source == DYNAMIC_BROKER_CONFIG}


def move(admin: KafkaAdminClient, placed: Mapping[Key, Replicas], timeout_ms: int) -> None:
    """Let partitions have other replicas, all of them in one request (KIP-455).

    :raises ExpectedError: the active controller does not take some; others may have been taken.
    """
    if not placed:
        return
    topics: dict[str, list[tuple[int, list[int]]]] = {}
    for (topic, number), replicas in placed.items():
        topics.setdefault(topic, []).append((number, list(replicas)))
    request = AlterPartitionReassignmentsRequest(topics=list(topics.items()), timeout_ms=timeout_ms)
    response = send(admin, request)
    refused = [
        f"partition {one.partition_index} of topic {topic.name}: {explain_code(one.error_code, one.error_message)}"
        for topic in response.responses
        for one in topic.partitions
        if one.error_code
    ]
    if response.error_code:
        raise for_code(response.error_code)(response.error_message)
    if refused:
        raise ExpectedError(f"Kafka does not place {' '.join(refused)}", reason="failed")


def set_rates(admin: KafkaAdminClient, brokers: Iterable[int], rate: int | None) -> None:
    """Throttle brokers to so many bytes a second, or with None no more; each takes that only for itself.

    :raises ExpectedError: a broker does not take it.
    """
    value = None if rate is None else str(rate)
    for broker in brokers:
        refused = alter_configs(admin, BROKER, {str(broker): dict.fromkeys(RATES, value)}, node_id=broker)
        if refused:
            raise ExpectedError(f"Cannot set the throttle of broker {broker}: {refused[str(broker)]}", reason="failed")


def set_topics(admin: KafkaAdminClient, changes: Mapping[str, Mapping[str, str | None]]) -> None:
    """Set configs of topics.

    :raises ExpectedError: one is not taken.
    """
    refused = alter_configs(admin, TOPIC, changes)
    if refused:
        told = " ".join(f"{topic}: {why}" for topic, why in refused.items())
        raise ExpectedError(f"Cannot set the throttle of topic {told}", reason="failed")
