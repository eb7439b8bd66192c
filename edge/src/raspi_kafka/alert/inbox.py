"""The records of the topic of alerts, for one sink."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from .. import kafka_client
from .alert import Alert
from .recall import Recall
from .topics import ALERTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from confluent_kafka import Message

log = logging.getLogger(__name__)

SECONDS_TO_ANSWER = 5.0
# Whoever gives the topic more partitions does not have to tell alerting.
SECONDS_BETWEEN_LOOKS = 60.0
SECONDS_TO_NEXT_TRY = 2.0


class Record(NamedTuple):
    """A record of the topic.

    :ivar append_ms: milliseconds since 1970.
    :ivar alert: None if it is none.
    :ivar fault: why it is none.
    """

    partition: int
    offset: int
    append_ms: int
    alert: Alert | None
    fault: str = ""

    @classmethod
    def of(cls, message: Message) -> Record:
        """Return what a message of the consumer is."""
        place = (message.partition(), message.offset(), message.timestamp()[1])
        try:
            return cls(*place, Alert.from_json(message.value()))
        except ValueError as wrong:
            return cls(*place, None, str(wrong))


class Inbox:
    """Begins where the sink was, which Kafka remembers.

    Partitions are assigned, not shared out by the group: a lease lets one process deliver at a time, so there is nobody
    to share them with. Its successor begins at once, without waiting for the session of one that was killed, and a sink
    that is down for an hour costs no membership (max.poll.interval.ms).

    :param restore: is given the episodes that have not ended, of those that the sink has been given before this process
        began, once all are known; None if the sink needs no past.
    """

    def __init__(
        self, servers: tuple[str, ...], group: str, restore: Callable[[list[Alert]], None] | None = None
    ) -> None:
        self._consumer = Consumer(settings(servers, group), logger=kafka_client.logger())
        self._restore = restore
        self._recall: Recall | None = None
        self._partitions: set[int] = set()
        self._look_at = 0.0
        self._told = ""

    def take(self, timeout_s: float) -> Record | None:
        """Return the next record that the sink has not taken; None if none came in time."""
        if time.monotonic() >= self._look_at:
            self._look()
        message = self._consumer.poll(timeout_s)
        if message is None:
            return None
        error = message.error()
        if error is None:
            return self._new(Record.of(message))
        if error.code() == KafkaError._PARTITION_EOF:
            self._end(message.partition())
        else:
            self._tell(error)
        return None

    def taken(self, record: Record) -> None:
        """Note that the sink has taken a record; librdkafka commits it, again and again while Kafka is away."""
        self._consumer.store_offsets(offsets=[TopicPartition(ALERTS, record.partition, record.offset + 1)])

    def close(self) -> None:
        """Commit, and close."""
        self._consumer.close()

    def _look(self) -> None:
        """Read each partition of the topic; begin again if it has other ones than before."""
        try:
            found = self._consumer.list_topics(ALERTS, timeout=SECONDS_TO_ANSWER).topics[ALERTS]
            if found.error:
                raise KafkaException(found.error)
            if set(found.partitions) != self._partitions:
                self._assign([TopicPartition(ALERTS, number) for number in found.partitions])
                self._partitions = set(found.partitions)
        except KafkaException as failed:
            self._tell(failed.args[0])
        else:
            self._told = ""
        self._look_at = time.monotonic() + (SECONDS_BETWEEN_LOOKS if self._partitions else SECONDS_TO_NEXT_TRY)

    def _assign(self, places: list[TopicPartition]) -> None:
        """Begin where the sink was.

        Left to ask for that itself, librdkafka 2.16 gave up when the coordinator of the group had just moved
        (NOT_COORDINATOR), and read nothing any more.

        :raises KafkaException: nobody says now where that is.
        """
        committed = self._consumer.committed(places, timeout=SECONDS_TO_ANSWER)
        for each in committed:
            if each.error:
                raise KafkaException(each.error)
        offsets = {each.partition: max(each.offset, 0) for each in committed}
        if self._restore is not None:
            self._recall = Recall(offsets)
            offsets = dict.fromkeys(offsets, 0)
        self._consumer.assign([TopicPartition(ALERTS, *each) for each in offsets.items()])

    def _new(self, record: Record) -> Record | None:
        if self._recall is None:
            return record
        known = self._recall.take(record.partition, record.offset, record.alert)
        self._recalled(self._recall)
        return None if known else record

    def _end(self, partition: int) -> None:
        if self._recall is not None:
            self._recall.end(partition)
            self._recalled(self._recall)

    def _recalled(self, recall: Recall) -> None:
        if recall.over and self._restore is not None:
            self._restore(recall.firing)
            self._recall = None

    def _tell(self, error: KafkaError) -> None:
        if error.str() != self._told:
            self._told = error.str()
            log.error("alerts can't be read from topic %s: %s; they wait there", ALERTS, error.str())


def settings(servers: tuple[str, ...], group: str) -> dict[str, Any]:
    """Return the settings of the consumer."""
    return {
        **kafka_client.common(servers, "raspi-kafka-alerting"),
        "group.id": group,
        "isolation.level": "read_committed",  # what an aborted transaction has decided is decided again
        "auto.offset.reset": "earliest",
        # Only what taken() has stored is committed, in the background: to wait for it while Kafka is down would keep
        # back what can be told without Kafka.
        "enable.auto.offset.store": False,
        "enable.auto.commit": True,
        "auto.commit.interval.ms": 500,
        "enable.partition.eof": True,
        # Alerts are few; those that a sink keeps waiting wait in Kafka, not in memory.
        "queued.max.messages.kbytes": 1024,
    }
