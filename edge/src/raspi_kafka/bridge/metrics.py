"""Prometheus metrics, made of the counters when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from .counters import BOUNDS, DROPPED, STORED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client.metrics_core import Metric

    from .config import Metrics
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
        yield labelled("dead_lettered", "Messages sent to the dead-letter topic", ("error",), counters.dead_lettered)
        yield labelled("errors", "Errors of Kafka", ("class", "code"), counters.errors)
        yield delivery_seconds(counters)
        yield from of_mosquitto(counters)


def labelled(name: str, text: str, labels: tuple[str, ...], counts: dict) -> CounterMetricFamily:
    """Return a counter with one value for each key of a mapping."""
    family = CounterMetricFamily(PREFIX + name, text, labels=labels)
    for key, count in list(counts.items()):
        family.add_metric([key] if isinstance(key, str) else list(key), count)
    return family


def delivery_seconds(counters: Counters) -> HistogramMetricFamily:
    """Return the time from receiving a message to Kafka's confirmation."""
    histogram = counters.delivery_seconds
    family = HistogramMetricFamily(PREFIX + "delivery_seconds", "From receiving a message to Kafka's confirmation")
    total, buckets = 0, []
    for bound, count in zip((*map(str, BOUNDS), "+Inf"), list(histogram.buckets), strict=True):
        total += count
        buckets.append((bound, total))
    family.add_metric([], buckets, histogram.sum)
    return family


def of_mosquitto(counters: Counters) -> Iterator[Metric]:
    """Return what the MQTT server tells of itself, as far as it has."""
    told = counters.mosquitto
    if DROPPED in told:
        text = "Messages that Mosquitto has dropped, e.g. since a queue was full"
        yield CounterMetricFamily(PREFIX + "mosquitto_dropped", text, value=told[DROPPED])
    if STORED in told:
        text = "Messages in Mosquitto's store: queued ones, and retained ones"
        yield GaugeMetricFamily(PREFIX + "mosquitto_stored", text, value=told[STORED])


def serve(metrics: Metrics, collector: BridgeCollector) -> None:
    """Serve /metrics in a thread of its own.

    :raises OSError: the address is taken.
    """
    registry = CollectorRegistry()
    registry.register(collector)
    start_http_server(metrics.port, metrics.host, registry)
