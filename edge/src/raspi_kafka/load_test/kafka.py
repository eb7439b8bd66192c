"""What the load test asks of Kafka: where a topic ends, what it stored, and what time it is there."""

from __future__ import annotations

import concurrent.futures
import contextlib
import time
from typing import TYPE_CHECKING

from confluent_kafka import (
    TIMESTAMP_LOG_APPEND_TIME,
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from raspi_kafka.report.ledger import Clock

from .message import arrived

if TYPE_CHECKING:
    from collections.abc import Iterator

    from confluent_kafka import Message

ASK_S = 15.0
# Kafka's clock is read so often; the shortest way there and back errs least.
READINGS = 20
# An offset that is known less well says nothing about delays of some milliseconds.
WORST_ERROR_MS = 5.0
READ_AGAIN = (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE)


class LoadTestError(Exception):
    """A sentence: what can't be done, where, why, and what to do."""


def ends(servers: str, topic: str) -> list[tuple[str, int, int]]:
    """Return topic, partition and offset of the next record, for each partition.

    :raises LoadTestError: Kafka is not there, or has no such topic.
    """
    with contextlib.closing(reader(servers)) as consumer:
        return ends_by(consumer, servers, topic)


def ends_by(consumer: Consumer, servers: str, topic: str) -> list[tuple[str, int, int]]:
    """Return the same, by a consumer that is there already."""
    try:
        found = consumer.list_topics(topic, timeout=ASK_S).topics[topic]
        if found.error:
            raise LoadTestError(
                f"Kafka at {servers} has no topic {topic}: {found.error.str()}. Deploy the gateway first, or name "
                "another topic."
            )
        places = [TopicPartition(topic, number) for number in sorted(found.partitions)]
        return [(topic, each.partition, consumer.get_watermark_offsets(each, timeout=ASK_S)[1]) for each in places]
    except KafkaException as failed:
        raise LoadTestError(
            f"Kafka at {servers} does not answer: {failed.args[0].str()}. Look whether it runs, and whether its "
            "advertised address can be reached from here."
        ) from failed


def stored(servers: str, starts: list[tuple[str, int, int]]) -> Iterator[Message]:
    """Yield the records from given offsets to the end, partition by partition in the log's order.

    :raises LoadTestError: Kafka is not there.
    """
    last = {partition: offset for _topic, partition, offset in ends(servers, starts[0][0])}
    consumer = reader(servers)
    try:
        for topic, partition, start in starts:
            consumer.assign([TopicPartition(topic, partition, start)])
            position = start
            while position < last[partition]:
                for message in taken(consumer, servers):
                    position = message.offset() + 1
                    if position <= last[partition]:
                        yield message
    finally:
        consumer.close()


def taken(consumer: Consumer, servers: str) -> list[Message]:
    """Return the next messages.

    :raises LoadTestError: none came.
    """
    messages = arrived(consumer, ASK_S)
    if not messages:
        raise LoadTestError(f"Kafka at {servers} does not give what it has stored within {ASK_S:.0f} s. Run it again.")
    wrong = [each.error() for each in messages if each.error() and each.error().code() not in READ_AGAIN]
    if wrong:
        raise LoadTestError(f"Kafka at {servers} does not give what it has stored: {wrong[0].str()}.")
    return [each for each in messages if not each.error()]


def clock(servers: str, topic: str) -> Clock | None:
    """Compare the clocks by records that Kafka stamps as it appends them; None if that says too little."""
    producer = Producer(
        {"bootstrap.servers": servers, "linger.ms": 0, "message.timeout.ms": int(1000 * ASK_S), "acks": "1"}
    )
    reading(producer, topic)  # which makes the connection
    readings = [each for each in (reading(producer, topic) for _time in range(READINGS)) if each]
    best = min(readings, key=lambda each: each.error_ms, default=None)
    return best if best and best.error_ms <= WORST_ERROR_MS else None


def reading(producer: Producer, topic: str) -> Clock | None:
    """Read Kafka's clock once."""
    stamps: list[int] = []

    def appended(error: KafkaError | None, message: Message) -> None:
        kind, stamp = (0, 0) if error else message.timestamp()
        if kind == TIMESTAMP_LOG_APPEND_TIME:
            stamps.append(stamp)

    before = time.time_ns() / 1e6
    try:
        producer.produce(topic, b"what time is it", on_delivery=appended)
    except KafkaException:  # no such topic
        return None
    producer.flush(ASK_S)
    after = time.time_ns() / 1e6
    # The stamp is cut to its millisecond.
    return (
        Clock(round(stamps[0] + 0.5 - (before + after) / 2, 3), round((after - before) / 2 + 0.5, 3))
        if stamps
        else None
    )


def forget(servers: str, groups: list[str]) -> None:
    """Remove consumer groups; one that is not there is none that is left."""
    admin = AdminClient({"bootstrap.servers": servers})
    for answer in admin.delete_consumer_groups(groups).values():
        with contextlib.suppress(KafkaException, concurrent.futures.TimeoutError):  # before Python 3.11 another one
            answer.result(ASK_S)


def reader(servers: str) -> Consumer:
    """Return a consumer that is a member of no group."""
    return Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": "raspi-kafka-load-test",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "log.connection.close": False,
        }
    )
