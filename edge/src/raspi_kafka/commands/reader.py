"""Commands and answers from Kafka."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, TopicPartition

from .. import kafka_log
from .topics import ANSWERS, COMMANDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from confluent_kafka import Message

log = logging.getLogger(__name__)

AT_ONCE = 500
# Whoever gives a topic more partitions does not have to tell the service.
SECONDS_BETWEEN_LOOKS = 60.0
SECONDS_TO_NEXT_TRY = 2.0
SECONDS_TO_ANSWER = 5.0
SECONDS_TO_LOOK = 1.0


class Reader:
    """Reads all answers from the beginning, and then commands from where the group is.

    Partitions are assigned, not shared out by the group, which is this gateway's own: it is there to remember offsets.

    :param group: the consumer group.
    """

    def __init__(self, servers: tuple[str, ...], group: str, on_error: Callable[[KafkaError], None]) -> None:
        self._on_error = on_error
        self._partitions: dict[str, set[int]] = {ANSWERS: set(), COMMANDS: set()}
        self._behind: set[int] = set()
        self._look_at_s = 0.0
        self._missing = ""
        self._paused = False
        self._consumer = kafka_log.reader(
            servers,
            **{
                "client.id": "raspi-kafka-commands",
                "group.id": group,
                "error_cb": on_error,
                # Only what is finished is committed, in the background.
                "enable.auto.offset.store": False,
                "enable.auto.commit": True,
                "auto.commit.interval.ms": 500,
                "queued.max.messages.kbytes": 2048,
            },
        )

    @property
    def began(self) -> bool:
        """Whether all answers that were there are known, and commands are read."""
        return bool(self._partitions[COMMANDS])

    def read(self, timeout_s: float) -> Iterator[Message]:
        """Yield records of both topics."""
        if time.monotonic() >= self._look_at_s:
            self._look()
        first = self._consumer.poll(timeout_s)
        if first is None:
            return
        for message in (first, *self._consumer.consume(AT_ONCE, 0)):
            error = message.error()
            if error is None:
                yield message
            elif error.code() != KafkaError._PARTITION_EOF:
                self._on_error(error)
            elif message.topic() == ANSWERS and message.partition() in self._behind:
                self._behind.discard(message.partition())
                self._look_at_s = 0.0

    def store(self, partition: int, offset: int) -> None:
        """Let the next process begin there; librdkafka commits it, again and again while Kafka is away."""
        self._consumer.store_offsets(offsets=[TopicPartition(COMMANDS, partition, offset)])

    def hold(self, *, held: bool) -> None:
        """Read no commands while there are too many, and go on."""
        if held is not self._paused:
            self._paused = held
            places = [TopicPartition(COMMANDS, each) for each in self._partitions[COMMANDS]]
            (self._consumer.pause if held else self._consumer.resume)(places)

    def answers(self) -> bool:
        """Tell whether Kafka answers; this waits."""
        try:
            self._consumer.list_topics(ANSWERS, timeout=SECONDS_TO_LOOK)
        except KafkaException:
            return False
        return True

    def close(self) -> None:
        """Commit, and close."""
        self._consumer.close()

    def _look(self) -> None:
        """Look for the partitions of the topics; commands follow when all answers are known."""
        try:
            there = self._take_up(ANSWERS) and not self._behind and self._take_up(COMMANDS)
        except KafkaException as failed:
            self._on_error(failed.args[0])
            there = False
        self._look_at_s = time.monotonic() + (SECONDS_BETWEEN_LOOKS if there else SECONDS_TO_NEXT_TRY)

    def _take_up(self, topic: str) -> bool:
        """Read those partitions that are not read yet; tell whether there is such a topic."""
        found = set(kafka_log.partitions(self._consumer, topic, SECONDS_TO_ANSWER))
        if not found and topic != self._missing:
            self._missing = topic
            log.warning("Kafka has no topic %s yet; waiting for it", topic)
        new = sorted(found - self._partitions[topic])
        if new:
            starts = [TopicPartition(topic, each, OFFSET_BEGINNING) for each in new]
            if topic == COMMANDS:
                starts = self._begin(starts)
            self._consumer.incremental_assign(starts)
            self._behind |= set(new) if topic == ANSWERS else set()
            self._partitions[topic].update(new)
        return bool(found)

    def _begin(self, places: list[TopicPartition]) -> list[TopicPartition]:
        """Return where the group is, or the beginning: a command that was given before the first start counts too."""
        found = self._consumer.committed(places, timeout=SECONDS_TO_ANSWER)
        for each in found:
            if each.error:
                raise KafkaException(each.error)
            if each.offset < 0:
                each.offset = OFFSET_BEGINNING
        return found
