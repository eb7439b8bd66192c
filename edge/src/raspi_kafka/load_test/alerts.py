"""What alerting says of the devices of a stage: in the topic of alerts, each with the time at which Kafka has it."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from raspi_kafka import kafka_log
from raspi_kafka.alert.alert import Alert
from raspi_kafka.alert.topics import ALERTS

from .kafka import ASK_S, LoadTestError

if TYPE_CHECKING:
    from collections.abc import Callable

POLL_S = 0.5


class Told(NamedTuple):
    """An alert.

    :ivar append_ms: when Kafka appended it, milliseconds since 1970 by its own clock.
    """

    alert: Alert
    append_ms: int


class Alerts:
    """Reads what is appended to the topic from now on; Kafka says itself when that was, so it is read in the end."""

    def __init__(self, servers: str) -> None:
        """Note where the topic ends.

        :raises LoadTestError: Kafka does not answer.
        """
        self._servers = servers
        with contextlib.closing(kafka_log.reader((servers,))) as reader:
            try:
                places = [TopicPartition(ALERTS, each) for each in kafka_log.partitions(reader, ALERTS)]
                self._starts = [
                    TopicPartition(ALERTS, each.partition, reader.get_watermark_offsets(each, timeout=ASK_S)[1])
                    for each in places
                ]
            except KafkaException as failed:
                raise LoadTestError(
                    f"Kafka at {servers} does not answer: {failed.args[0].str()}. Look whether it runs."
                ) from failed

    @property
    def there(self) -> bool:
        """Whether there is such a topic."""
        return bool(self._starts)

    def read(self, enough: Callable[[list[Told]], bool], seconds: float) -> list[Told]:
        """Return what has come, without what was aborted, once that is enough or time is over.

        :raises LoadTestError: Kafka does not give it.
        """
        end = time.monotonic() + seconds
        found: list[Told] = []
        left = {each.partition for each in self._starts}
        with contextlib.closing(kafka_log.reader((self._servers,))) as reader:
            reader.assign(self._starts)
            while (left or not enough(found)) and time.monotonic() < end:
                message = reader.poll(POLL_S)
                if message is None:
                    continue
                error = message.error()
                if error is None:
                    found.append(Told(Alert.from_json(message.value()), message.timestamp()[1]))
                elif error.code() == KafkaError._PARTITION_EOF:
                    left.discard(message.partition())
        if left:
            raise LoadTestError(
                f"Kafka at {self._servers} does not give the topic {ALERTS} to its end within {seconds:.0f} s. Look "
                "whether the broker is healthy, and run it again."
            )
        return found
