"""Takes records out of a running Kafka."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, TopicPartition

from .. import kafka_log
from .record import record_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from confluent_kafka import Consumer

    from .record import Record

WAIT_S = 1.0
AT_ONCE = 500


class RecorderError(Exception):
    """A sentence: what Kafka does not give, where, and what to do."""


def record(server: str, topics: Sequence[str], since_s: float | None) -> Iterator[Record]:
    """Yield the records that are in topics as this begins, partition by partition or mixed, as Kafka gives them.

    :param since_s: only those of so many seconds; None for all.
    :raises RecorderError: Kafka is not there, has no such topic, or stops to answer.
    """
    # The last records may be a transaction's marks, which are never given; it is told of the end all the same.
    consumer = kafka_log.reader((server,))
    with contextlib.closing(consumer):
        try:
            places = [place for topic in topics for place in partitions(consumer, server, topic)]
            ends = {key(each): consumer.get_watermark_offsets(each, timeout=kafka_log.ASK_S)[1] for each in places}
            starts = started(consumer, places, since_s)
            yield from until(consumer, server, starts, ends)
        except KafkaException as failed:
            raise RecorderError(
                f"Kafka at {server} does not answer: {failed.args[0].str()}. Look whether it runs, and whether its "
                "advertised address can be reached from here."
            ) from failed


def key(place: TopicPartition) -> tuple[str, int]:
    """Return topic and partition, as other things are found by."""
    return place.topic, place.partition


def partitions(consumer: Consumer, server: str, topic: str) -> list[TopicPartition]:
    """Return the partitions of a topic."""
    found = consumer.list_topics(topic, timeout=kafka_log.ASK_S).topics[topic]
    if found.error:
        raise RecorderError(f"Kafka at {server} has no topic {topic}: {found.error.str()}. Name one that is there.")
    return [TopicPartition(topic, number, OFFSET_BEGINNING) for number in sorted(found.partitions)]


def started(consumer: Consumer, places: list[TopicPartition], since_s: float | None) -> list[TopicPartition]:
    """Return the partitions at the records with which to begin."""
    if since_s is None:
        return places
    since_ms = int((time.time() - since_s) * 1000)
    return consumer.offsets_for_times(
        [TopicPartition(*key(each), since_ms) for each in places], timeout=kafka_log.ASK_S
    )


def until(
    consumer: Consumer, server: str, starts: list[TopicPartition], ends: dict[tuple[str, int], int]
) -> Iterator[Record]:
    """Yield records up to the ends."""
    consumer.assign(starts)
    left = set(ends)
    heard = time.monotonic()
    while left:
        for message in consumer.consume(AT_ONCE, WAIT_S):
            heard = time.monotonic()
            place, error = (message.topic(), message.partition()), message.error()
            if error:
                refuse(error, server)
                left -= {place} if error.code() == KafkaError._PARTITION_EOF else set()
            elif message.offset() < ends[place]:
                yield record_of(message)
            if not error and message.offset() >= ends[place] - 1:
                left.discard(place)
        if time.monotonic() - heard > kafka_log.ASK_S:
            raise RecorderError(
                f"Kafka at {server} gives nothing more for {kafka_log.ASK_S:.0f} s. Look whether it runs."
            )


def refuse(error: KafkaError, server: str) -> None:
    """Fail for an error that does not pass by itself."""
    passing = (KafkaError._PARTITION_EOF, KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE)
    if error.code() not in passing:
        raise RecorderError(f"Kafka at {server} does not give what it has stored: {error.str()}.")
