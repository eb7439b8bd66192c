"""What the service of commands has to tell, to Kafka."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import KafkaException, Producer

from .. import kafka_client

if TYPE_CHECKING:
    from collections.abc import Callable

    from confluent_kafka import KafkaError, Message

    Headers = list[tuple[str, bytes]]

PAUSE_S = 5.0
# As the bridge's: the topic of dead letters takes as much.
MESSAGE_BYTES = 2_097_152


class Said(NamedTuple):
    """A record that Kafka is to have.

    :ivar done: is called once it has it.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    done: Callable[[], None]


class Writer:
    """Writes until Kafka has it: what is refused is tried again, since nothing may be left out.

    :param on_error: is told of each refusal.
    """

    def __init__(self, servers: tuple[str, ...], on_error: Callable[[KafkaError], None]) -> None:
        self._on_error = on_error
        self._refused: list[Said] = []
        self._fatal: KafkaError | None = None
        self._again_at_s = 0.0
        self._producer = Producer(
            {
                **kafka_client.common(servers, "raspi-kafka-commands"),
                "acks": "all",
                "enable.idempotence": True,
                "message.timeout.ms": 0,  # an outage fails no record
                "message.max.bytes": MESSAGE_BYTES,
                "partitioner": "murmur2_random",  # the partition that Java's clients choose for a key
                "error_cb": self._error,
            },
            logger=kafka_client.logger(),
        )

    def __len__(self) -> int:
        return len(self._producer) + len(self._refused)

    def write(self, said: Said) -> None:
        """Begin to write."""
        try:
            self._producer.produce(
                said.topic,
                said.value,
                said.key,
                headers=said.headers,
                on_delivery=lambda error, _message: self._reported(error, _message, said),
            )
        except (BufferError, KafkaException):
            self._refused.append(said)

    def poll(self) -> None:
        """Call done() of what Kafka has by now.

        :raises KafkaException: the producer can't go on.
        """
        self._producer.poll(0)
        if self._fatal:
            raise KafkaException(self._fatal)
        if self._refused and time.monotonic() >= self._again_at_s:
            self._again_at_s = time.monotonic() + PAUSE_S
            again, self._refused = self._refused, []
            for each in again:
                self.write(each)

    def flush(self, timeout_s: float) -> None:
        """Wait for what is under way, but no longer than that."""
        self._producer.flush(timeout_s)

    def _reported(self, error: KafkaError | None, _message: Message, said: Said) -> None:
        if error is None:
            said.done()
            return
        self._error(error)
        self._again_at_s = time.monotonic() + PAUSE_S
        self._refused.append(said)

    def _error(self, error: KafkaError) -> None:
        if error.fatal():
            self._fatal = error
        self._on_error(error)


def headers(**values: object) -> Headers:
    """Return record headers; half a character, which JSON may have and UTF-8 may not, is written as an escape."""
    texts = {name.replace("_", "."): str(value) for name, value in values.items()}
    return [(name, text.encode(errors="backslashreplace")) for name, text in texts.items()]
