"""Prometheus metrics of commands."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from ..metrics import labelled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.metrics_core import Metric

    from .counters import Counters
    from .queues import Queues

PREFIX = "raspi_kafka_commands_"
COUNTED = {
    "taken": "Commands read from Kafka",
    "handed_over": "Commands given to the MQTT server for a session, again ones too",
    "no_session": "Tries to hand a command over that found no session of its device",
    "answered": "Commands that an answer has finished",
    "expired": "Commands of which this gateway has told that they have expired",
    "refused": "Commands of which this gateway has told that too many wait for their device",
    "unreadable": "Records of the topic of answers that are none",
}


class CommandsCollector(Collector):
    """Reads the counters and queues of a service."""

    def __init__(self, counters: Counters, queues: Queues) -> None:
        self._counters = counters
        self._queues = queues

    def collect(self) -> Iterator[Metric]:
        counters, queues = self._counters, self._queues
        for name, text in COUNTED.items():
            yield CounterMetricFamily(PREFIX + name, text, value=getattr(counters, name))
        yield labelled(PREFIX + "answers", "Answers in Kafka, of all gateways", ("status",), counters.answers)
        yield labelled(
            PREFIX + "dead_lettered", "Records sent to the dead-letter topic", ("error",), counters.dead_lettered
        )
        yield labelled(PREFIX + "errors", "Errors of Kafka", ("code",), counters.errors)
        yield GaugeMetricFamily(PREFIX + "waiting", "Commands that are not finished", value=queues.size)
        yield GaugeMetricFamily(PREFIX + "waiting_devices", "Devices that have such", value=len(queues))
        oldest_ms = queues.oldest_ms
        age_s = 0.0 if oldest_ms is None else max(0.0, time.time() - oldest_ms / 1000)
        yield GaugeMetricFamily(PREFIX + "oldest_waiting_seconds", "Age of the oldest of them", value=age_s)
