"""What Kafka's log holds, read once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

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
        ends = {each: end(consumer, topic, each) for each in partitions(consumer, topic)}
        if not ends:
            raise KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART, f"there is no topic {topic}"))
        consumer.assign([TopicPartition(topic, each, OFFSET_BEGINNING) for each in ends])
        left = set(ends)
        while left:
            message = consumer.poll(QUIET_S)
            if message is None:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"topic {topic} gives nothing"))
            partition, error = message.partition(), message.error()
            if error is None:
                if partition in left and message.offset() < ends[partition]:
                    yield message
                # While others write without a pause, Kafka never tells of an end.
                if message.offset() >= ends[partition] - 1:
                    left.discard(partition)
            elif error.code() == KafkaError._PARTITION_EOF:
                left.discard(partition)
    finally:
        consumer.close()


@retry(
    retry=retry_if_exception_type(KafkaException), stop=stop_after_delay(QUIET_S), wait=wait_fixed(0.2), reraise=True
)
def end(consumer: Consumer, topic: str, partition: int) -> int:
    """Return the offset behind what a reader may have now: with read_committed, behind what is stable (KIP-98).

    :raises KafkaException: Kafka does not answer, or the partition has no leader for QUIET_S.
    """
    return consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=ASK_S)[1]


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
