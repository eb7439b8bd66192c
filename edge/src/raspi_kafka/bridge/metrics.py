"""Prometheus metrics, made of the counters when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from ..metrics import histogram, labelled
from .counters import DROPPED, STORED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client.metrics_core import Metric

    from .counters import Counters

PREFIX = "raspi_kafka_bridge_"
COUNTED = {
    "received": "MQTT messages received, redelivered ones too",
    "produced": "Records given to the Kafka producer",
    "acked": "PUBACKs sent",
    "redelivered": "MQTT messages received with the mark DUP",
    "duplicates_suppressed": "Redelivered messages that were on their way already",
    "reconnects": "Tries to connect to the MQTT server after the first one",
    "session_lost": "Times that the MQTT server had lost the session, and messages with it",
    "pauses": "Times that reading was stopped because Kafka was slower",
}
DELIVERY_TEXT = "From receiving a message to Kafka's confirmation"


class Gauges(NamedTuple):
    """What holds at the moment."""

    unacked: int
    oldest_unacked_seconds: float
    in_flight: int
    held: int


GAUGE_TEXTS = Gauges(
    "Messages received and not acknowledged yet",  # type: ignore[arg-type]
    "Age of the oldest of them",  # type: ignore[arg-type]
    "Records inside the Kafka producer",  # type: ignore[arg-type]
    "1 while Kafka refuses records until a person acts",  # type: ignore[arg-type]
)


class BridgeCollector(Collector):
    """Reads the counters of a bridge."""

    def __init__(self, counters: Counters, gauges: Callable[[], Gauges]) -> None:
        self._counters = counters
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        counters = self._counters
        for name, text in COUNTED.items():
            yield CounterMetricFamily(PREFIX + name, text, value=getattr(counters, name))
        for name, text, value in zip(Gauges._fields, GAUGE_TEXTS, self._gauges(), strict=True):
            yield GaugeMetricFamily(PREFIX + name, str(text), value=value)
        yield labelled(
            PREFIX + "dead_lettered", "Messages sent to the dead-letter topic", ("error",), counters.dead_lettered
        )
        yield labelled(PREFIX + "errors", "Errors of Kafka", ("class", "code"), counters.errors)
        yield histogram(PREFIX + "delivery_seconds", DELIVERY_TEXT, counters.delivery_seconds)
        yield from of_mosquitto(counters)


def of_mosquitto(counters: Counters) -> Iterator[Metric]:
    """Return what the MQTT server tells of itself, as far as it has."""
    told = counters.mosquitto
    if DROPPED in told:
        text = "Messages that Mosquitto has dropped, e.g. since a queue was full"
        yield CounterMetricFamily(PREFIX + "mosquitto_dropped", text, value=told[DROPPED])
    if STORED in told:
        text = "Messages in Mosquitto's store: queued ones, and retained ones"
        yield GaugeMetricFamily(PREFIX + "mosquitto_stored", text, value=told[STORED])
