"""The records that rules judge, from where the state has come to."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from confluent_kafka import OFFSET_BEGINNING, KafkaException, TopicPartition

from .. import kafka_client, kafka_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from confluent_kafka import KafkaError, Message

    from .ends import Partition

log = logging.getLogger(__name__)

MOST_AT_ONCE = 5000
# Few records gather so long, since each look at Kafka costs CPU.
GATHER_S = 0.03
FEW = 500
REFRESH_S = 30.0
# No longer, so that the loop sees a stall meanwhile.
ANSWER_S = 2.0
# What a new installation judges of the past.
RECENT_MS = 3_600_000


class Inputs:
    """A reader of all partitions of some topics.

    :ivar positions: the offset of the next record of each partition.
    """

    def __init__(self, servers: tuple[str, ...], topics: list[str], on_error: Callable[[KafkaError], None]) -> None:
        self._topics = topics
        self._on_error = on_error
        self._refresh_at_s = 0.0
        self._old = False
        self._missing: list[str] = []
        self.positions: dict[Partition, int] = {}
        self._assigned: set[Partition] = set()
        self._consumer = kafka_log.reader(
            servers,
            **{
                **kafka_client.HURRIED,
                "client.id": "raspi-kafka-alerting",
                # A partition has its leader back soon.
                "fetch.error.backoff.ms": 100,
                "enable.partition.eof": False,
                "error_cb": on_error,
                # A Pi has little memory, and Kafka is on the same host.
                "queued.max.messages.kbytes": 8192,
            },
        )

    def begin(self, positions: dict[Partition, int], *, from_the_beginning: bool) -> None:
        """Go on from where the state has come to.

        :param from_the_beginning: where partitions begin that have no position; else with what is an hour old.
        """
        self.positions = dict(positions)
        self._old = from_the_beginning

    def read(self, timeout_s: float) -> Iterator[Message]:
        """Yield records; positions are those behind what was yielded."""
        self._refresh()
        first = self._consumer.poll(timeout_s)
        if first is None:
            return
        messages = [first, *self._consumer.consume(MOST_AT_ONCE, 0)]
        if len(messages) < FEW:
            time.sleep(GATHER_S)
            messages += self._consumer.consume(MOST_AT_ONCE, 0)
        for message in messages:
            error = message.error()
            if error:
                self._on_error(error)
                continue
            self.positions[message.topic(), message.partition()] = message.offset() + 1
            yield message

    def offsets(self) -> list[TopicPartition]:
        """Return the positions as Kafka's consumer groups know them."""
        return [TopicPartition(*each, offset) for each, offset in self.positions.items()]

    def close(self) -> None:
        """Read no more."""
        self._consumer.close()

    def _refresh(self) -> None:
        """Look now and then for new partitions, and for topics that were not there."""
        now = time.monotonic()
        if now < self._refresh_at_s:
            return
        self._refresh_at_s = now + REFRESH_S / 6
        try:
            found = {
                (topic, each)
                for topic in self._topics
                for each in kafka_log.partitions(self._consumer, topic, ANSWER_S)
            }
            self._take_up(sorted(found - self._assigned))
        except KafkaException as failed:
            self._on_error(failed.args[0])
            return
        missing = sorted(set(self._topics) - {topic for topic, _partition in found})
        if missing and missing != self._missing:
            log.warning("Kafka has no topic %s yet; waiting for it", " and no topic ".join(missing))
        self._missing = missing
        if not missing:
            self._refresh_at_s = now + REFRESH_S

    def _take_up(self, partitions: list[Partition]) -> None:
        starts = [TopicPartition(*each, self._start(each)) for each in partitions]
        if starts:
            self._consumer.incremental_assign(starts)
            self._assigned.update(partitions)
            self._old = True  # a partition that comes to be later has no past

    def _start(self, partition: Partition) -> int:
        if partition not in self.positions:
            if self._old:
                return OFFSET_BEGINNING
            self.positions[partition] = self._recent(partition)
        return self.positions[partition]

    def _recent(self, partition: Partition) -> int:
        """Return the offset of the first record that is not older than what a new installation judges."""
        _low, high = self._consumer.get_watermark_offsets(TopicPartition(*partition), ANSWER_S)
        since = TopicPartition(*partition, int(time.time() * 1000) - RECENT_MS)
        (found,) = self._consumer.offsets_for_times([since], ANSWER_S)
        return high if found.offset < 0 else found.offset
