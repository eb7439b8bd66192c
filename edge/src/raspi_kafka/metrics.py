"""Prometheus metrics of a service, made of plain counters when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from .histogram import BOUNDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client.registry import Collector

    from .histogram import Histogram
    from .settings import Address


Family = TypeVar("Family", CounterMetricFamily, GaugeMetricFamily)


def labelled(name: str, text: str, labels: tuple[str, ...], counts: Mapping) -> CounterMetricFamily:
    """Return a counter with one value for each key of a mapping."""
    return valued(CounterMetricFamily(name, text, labels=labels), counts)


def gauges(name: str, text: str, labels: tuple[str, ...], values: Mapping) -> GaugeMetricFamily:
    """Return a gauge with one value for each key of a mapping."""
    return valued(GaugeMetricFamily(name, text, labels=labels), values)


def valued(family: Family, values: Mapping) -> Family:
    """Give a family its values."""
    for key, value in list(values.items()):
        family.add_metric([key] if isinstance(key, str) else list(key), value)
    return family


def histogram(name: str, text: str, counted: Histogram) -> HistogramMetricFamily:
    """Return the buckets of a histogram, each with all that is below it."""
    family = HistogramMetricFamily(name, text)
    total, buckets = 0, []
    for bound, count in zip((*map(str, BOUNDS), "+Inf"), list(counted.buckets), strict=True):
        total += count
        buckets.append((bound, total))
    family.add_metric([], buckets, counted.sum)
    return family


def serve(address: Address, collector: Collector) -> None:
    """Serve /metrics in a thread of its own.

    :raises OSError: the address is taken.
    """
    registry = CollectorRegistry()
    registry.register(collector)
    start_http_server(address.port, address.host, registry)
