"""Prometheus metrics of alerting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from ..metrics import gauges, histogram, labelled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prometheus_client.metrics_core import Metric

    from .delivery import Delivery
    from .service import Service

PREFIX = "raspi_kafka_alerting_"
DECISION_TEXT = "From the append time of the record that decided to the commit of the alert"


class AlertingCollector(Collector):
    """Reads the counters of a service and of what delivers its alerts."""

    def __init__(self, service: Service, deliveries: Sequence[Delivery]) -> None:
        self._service = service
        self._deliveries = deliveries

    def collect(self) -> Iterator[Metric]:
        service, counters = self._service, self._service.counters
        yield CounterMetricFamily(PREFIX + "records", "Records judged", value=counters.records)
        yield CounterMetricFamily(PREFIX + "heartbeats", "Heartbeats that came back", value=counters.heartbeats)
        late = "Records that came too late to be judged by their own time"
        yield labelled(PREFIX + "late", late, ("rule",), service.engine.late)
        yield labelled(PREFIX + "alerts", "Alerts in Kafka", ("rule", "state"), counters.alerts)
        yield labelled(PREFIX + "errors", "Errors of Kafka", ("code",), counters.errors)
        yield histogram(PREFIX + "decision_seconds", DECISION_TEXT, counters.decision_seconds)
        active = "1 if this host decides, 0 if it stands by"
        yield GaugeMetricFamily(PREFIX + "active", active, value=int(service.active))
        stalled = "1 while heartbeats of a gateway do not come back from Kafka, as the host that decides knows"
        yield gauges(PREFIX + "pipeline_stalled", stalled, ("gateway",), service.pipelines.stalled())
        firing = "Episodes that are not over"
        yield gauges(PREFIX + "firing", firing, ("rule", "severity"), service.engine.firing)
        yield from self._delivered()

    def _delivered(self) -> Iterator[Metric]:
        for name, text in (
            ("delivered", "Alerts that a sink has taken"),
            ("retries", "Tries to deliver that failed"),
            ("refused", "Alerts that a sink refuses for good"),
            ("unreadable", "Records of the topic of alerts that are none, and were passed over"),
        ):
            counts = {each.name: getattr(each.counters, name) for each in self._deliveries}
            yield labelled(PREFIX + name, text, ("sink",), counts)
        waiting = "Age of the oldest alert known here that a sink has not taken"
        seconds = {each.name: each.waiting_s() for each in self._deliveries}
        yield gauges(PREFIX + "waiting_seconds", waiting, ("sink",), seconds)
