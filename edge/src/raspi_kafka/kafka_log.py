"""What Kafka's log holds, read once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from . import kafka_client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from confluent_kafka import Message

ASK_S = 15.0
# An end is told at once; a partition without a leader is waited for so long, and no longer than a watchdog waits.
QUIET_S = 20.0


def partitions(consumer: Consumer, topic: str, timeout_s: float = ASK_S) -> list[int]:
    """Return the partitions of a topic; none if there is no such topic.

    :raises KafkaException: Kafka does not answer.
    """
    found = consumer.list_topics(topic, timeout=timeout_s).topics[topic]
    return [] if found.error else sorted(found.partitions)


def committed(servers: tuple[str, ...], topic: str) -> Iterator[Message]:
    """Yield all that a topic holds, without what was aborted, up to what is stable now.

    :raises KafkaException: Kafka does not answer, or has nothing to give for QUIET_S, or there is no such topic.
    """
    consumer = reader(servers)
    try:
        left = set(partitions(consumer, topic))
        if not left:
            raise KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART, f"there is no topic {topic}"))
        consumer.assign([TopicPartition(topic, each, OFFSET_BEGINNING) for each in left])
        while left:
            message = consumer.poll(QUIET_S)
            if message is None:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"topic {topic} gives nothing"))
            error = message.error()
            if error is None:
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:
                left.discard(message.partition())
    finally:
        consumer.close()


def reader(servers: tuple[str, ...], **more: object) -> Consumer:
    """Return a consumer that is a member of no group and is told of the end of a partition."""
    return Consumer(
        {
            **kafka_client.common(servers, "raspi-kafka-reader"),
            "group.id": "raspi-kafka-reader",  # librdkafka wants one; without a subscription nobody joins it
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            **more,
        },
        logger=kafka_client.logger(),
    )
