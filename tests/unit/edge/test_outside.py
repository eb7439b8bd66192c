"""What is told to systemd and to Prometheus."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from raspi_kafka import systemd
from raspi_kafka.bridge.counters import Counters
from raspi_kafka.bridge.metrics import BridgeCollector, Gauges
from raspi_kafka.histogram import BOUNDS


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    listening.bind(str(tmp_path / "notify"))
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    return listening


def test_systemd_is_told(manager: socket.socket) -> None:
    systemd.notify("READY=1", "STATUS=Carrying")
    assert manager.recv(1000) == b"READY=1\nSTATUS=Carrying"


def test_a_manager_that_does_not_listen_does_not_stop_the_bridge(manager: socket.socket) -> None:
    for _note in range(10_000):
        systemd.notify("WATCHDOG=1")
    manager.close()
    systemd.notify("WATCHDOG=1")


def test_without_a_manager_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    systemd.notify("READY=1")


@pytest.mark.parametrize(("microseconds", "interval"), [("30000000", 10.0), ("", None), ("x", None)])
def test_the_watchdog_hears_of_it_three_times_in_its_interval(
    microseconds: str, interval: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", microseconds)
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    assert systemd.watchdog_interval_s() == interval


def test_the_watchdog_of_another_process_is_none_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert systemd.watchdog_interval_s() is None


# --- metrics


def scraped(counters: Counters) -> dict[str, float]:
    registry = CollectorRegistry()
    registry.register(BridgeCollector(counters, lambda: Gauges(3, 1.5, 2, 1)))
    pairs = re.findall(r"^raspi_kafka_bridge_(\S+) (\S+)$", generate_latest(registry).decode(), re.MULTILINE)
    return {name: float(value) for name, value in pairs}


def test_every_counter_and_gauge_is_there_from_the_start() -> None:
    found = scraped(Counters())
    counted = [
        "received",
        "produced",
        "acked",
        "redelivered",
        "duplicates_suppressed",
        "reconnects",
        "session_lost",
        "pauses",
    ]
    assert {found[f"{name}_total"] for name in counted} == {0}
    assert (found["unacked"], found["oldest_unacked_seconds"]) == (3, 1.5)
    assert (found["in_flight"], found["held"]) == (2, 1)
    assert "mosquitto_dropped_total" not in found, "nothing was told, which is not zero"


def test_labels_and_what_mosquitto_tells_are_there() -> None:
    counters = Counters()
    counters.errors["target", "TOPIC_AUTHORIZATION_FAILED"] += 2
    counters.dead_lettered["SCHEMA"] += 1
    counters.mosquitto = {"publish/messages/dropped": 4.0, "store/messages/count": 5.0}
    found = scraped(counters)
    assert found['errors_total{class="target",code="TOPIC_AUTHORIZATION_FAILED"}'] == 2
    assert found['dead_lettered_total{error="SCHEMA"}'] == 1
    assert (found["mosquitto_dropped_total"], found["mosquitto_stored"]) == (4, 5)


def test_the_histogram_counts_each_value_in_its_bucket_and_all_above() -> None:
    counters = Counters()
    for value in (0.004, BOUNDS[0], 0.3, 10_000.0):
        counters.delivery_seconds.observe(value)
    found = scraped(counters)
    assert found[f'delivery_seconds_bucket{{le="{BOUNDS[0]}"}}'] == 2
    assert found['delivery_seconds_bucket{le="0.25"}'] == 2
    assert found['delivery_seconds_bucket{le="0.5"}'] == 3
    assert found['delivery_seconds_bucket{le="+Inf"}'] == found["delivery_seconds_count"] == 4
    assert found["delivery_seconds_sum"] == pytest.approx(10_000.309)
