"""Who of several hosts decides: the one that has the only partition of the topic of the state.

Kafka's consumer groups give each partition to one member. A host that comes back within SESSION_MS, e.g. since the
process was killed and started again, has its partition still (static membership, KIP-345); after that another has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import Consumer

from .. import kafka_client
from .topics import STATE

if TYPE_CHECKING:
    from collections.abc import Callable

    from confluent_kafka import KafkaError, TopicPartition

GROUP = "raspi-kafka-alerting"
SESSION_MS = 10_000


class LeaseLostError(Exception):
    """Another host decides now."""


class Lease:
    """A member of the group.

    While Kafka is out of reach nobody can have the lease, so it is only lost once another host has it. Should that have
    been so meanwhile, Kafka refuses what this host writes next (the transactional id has a newer owner).

    :ivar joined: Kafka has said who decides.
    :ivar held: it is this host.
    """

    def __init__(self, servers: tuple[str, ...], instance: str, on_error: Callable[[KafkaError], None]) -> None:
        self.joined = False
        self.held = False
        self._on_error = on_error
        self._had = False
        self._consumer = Consumer(
            {
                **kafka_client.common(servers, GROUP),
                **kafka_client.HURRIED,
                "group.id": GROUP,
                "group.instance.id": instance,
                "session.timeout.ms": SESSION_MS,
                # Who has the partition keeps it while others come and go (KIP-429).
                "partition.assignment.strategy": "cooperative-sticky",
                "enable.auto.commit": False,
                "auto.offset.reset": "latest",
                "error_cb": on_error,
            },
            logger=kafka_client.logger(),
        )
        self._consumer.subscribe([STATE], on_assign=self._given, on_revoke=self._taken, on_lost=self._taken)

    def poll(self, timeout_s: float) -> None:
        """Hear who decides.

        :raises LeaseLostError: this host did, and another one does now.
        """
        message = self._consumer.poll(timeout_s)
        if message and message.error():
            self._on_error(message.error())
        if self._had and self.joined and not self.held:
            raise LeaseLostError("another host decides now")

    def show(self, offsets: list[TopicPartition]) -> None:
        """Commit offsets for those who look at the group's lag; what counts is the state."""
        if self.joined and offsets:
            self._consumer.commit(offsets=offsets, asynchronous=True)

    def close(self) -> None:
        """Stop being heard of; a static member keeps its partition until its session ends."""
        self._consumer.close()

    def _given(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_assign(partitions)
        if partitions:
            consumer.pause(partitions)  # the state is read by a reader of its own, once
            self.held = self._had = True
        self.joined = True

    def _taken(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self.joined = False
        if partitions:
            self.held = False
