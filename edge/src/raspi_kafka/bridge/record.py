"""A message on its way to Kafka."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message

    from .packets import Publish
    from .routes import Route

    Headers = list[tuple[str, bytes]]


class Record:
    """A message, where it goes, and how far it has come.

    :ivar topic: the MQTT topic, UTF-8.
    :ivar size: bytes of topic and payload.
    :ivar packet_id: 0 with QoS 0.
    :ivar number: counts the records of the process.
    :ivar born: seconds of the loop's clock when it was received.
    :ivar target: the Kafka topic.
    :ivar value: what goes to Kafka; the payload but for a dead letter that is too large.
    :ivar delivered: Kafka has it, in its topic or in the dead-letter topic.
    :ivar error: of the last try.
    :ivar reports: where the record puts itself when the producer reports.
    """

    __slots__ = (
        *("topic", "payload", "size", "packet_id", "number", "born", "target", "key", "headers", "value"),
        *("delivered", "error", "reports"),
    )

    # Each attribute costs some ten nanoseconds a message; what Delivery sets before it looks is not set here.
    number: int
    reports: list[Record]
    error: KafkaError | None

    def __init__(self, publish: Publish, route: Route, headers: Headers, born: float) -> None:
        self.topic = publish.topic
        self.payload = self.value = payload = publish.payload
        self.size = len(payload) + len(publish.topic)
        self.packet_id = publish.packet_id
        self.born = born
        self.target = route.target
        self.key = route.key
        self.headers = headers
        self.delivered = False

    def reported(self, error: KafkaError | None, _message: Message | None) -> None:
        """Take a delivery report."""
        self.error = error
        self.reports.append(self)
