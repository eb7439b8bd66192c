"""Settings of librdkafka."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from confluent_kafka import Producer

from .. import kafka_client

if TYPE_CHECKING:
    from collections.abc import Callable

    from confluent_kafka import KafkaError

    from .config import Kafka

# With the 120 to 250 bytes of usual telemetry, some 500 records.
BATCH_BYTES = 131_072
# Above Mosquitto's max_packet_size, which the role sets to 1.5 MiB, with headers; the dead-letter topic takes as much.
MESSAGE_BYTES = 2_097_152


def settings(kafka: Kafka, linger_ms: float) -> dict[str, Any]:
    """Return the settings of the producer that batches.

    :param linger_ms: how long it gathers records; the bridge has gathered the messages before.
    """
    return {
        **kafka_client.common(kafka.bootstrap_servers, "raspi-kafka-bridge"),
        "acks": "all",
        "enable.idempotence": True,
        # A batch that is refused ends this producer. Else the batches behind it, which are with the broker already,
        # would land before its records are tried again: measured, all of the 42 records that were behind.
        "enable.gapless.guarantee": True,
        "message.timeout.ms": 0,  # an outage fails no record
        "linger.ms": linger_ms,
        "batch.size": BATCH_BYTES,
        "message.max.bytes": MESSAGE_BYTES,
        "partitioner": "murmur2_random",  # the partition that Java's clients choose for a key
    }


def single(kafka: Kafka) -> dict[str, Any]:
    """Return the settings of the producer that sends each record on its own, so that each has a verdict of its own."""
    return {
        **settings(kafka, linger_ms=0),
        "enable.gapless.guarantee": False,  # one record of a device at a time: its order is not at stake
        "batch.num.messages": 1,
        "topic.metadata.propagation.max.ms": 5000,  # the topic was unknown before: no need to doubt it for 30 s again
    }


def make(values: dict[str, Any], on_error: Callable[[KafkaError], None]) -> Producer:
    """Return a producer; its log lines and errors come through poll()."""
    return Producer({**values, "error_cb": on_error}, logger=kafka_client.logger())
