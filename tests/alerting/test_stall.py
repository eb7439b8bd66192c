"""A pipeline that stalls is one alert; the devices behind it are not silent."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from raspi_kafka.alert.alert import GATEWAY, State
from raspi_kafka.alert.pipeline import RULE

from tests.bridge.process import until

from .conftest import DEVICES
from .fleet import Fleet
from .told import Told

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bridge.process import Process

    from .alerting import Alerting
    from .conftest import Line
    from .receiver import Receiver

SILENT = {"name": "silent", "silence": {"after": "10s"}}
STALLED = [(GATEWAY + "pi", State.FIRING), (GATEWAY + "pi", State.RESOLVED)]


@pytest.fixture
def alerting(line: Line, receiver: Receiver) -> Alerting:
    """Alerting that judges 350 devices, each of which has been heard."""
    line.bridge()
    alerting = line.alerting([SILENT], webhook={"url": receiver.url})
    alerting.start()
    line.started(Fleet(line.root / "fleet", line.mosquitto, DEVICES))
    heard(alerting, 5 * len(DEVICES))
    return alerting


def heard(alerting: Alerting, more: float) -> None:
    """Wait until it has judged some more records."""
    before = alerting.metrics().get("records_total", 0.0)
    until("records come", lambda: alerting.metrics().get("records_total", 0.0) > before + more, timeout=120)


def stalled(receiver: Receiver) -> Callable[[], bool]:
    return lambda: any(RULE in name and state == State.FIRING for name, state in receiver.took)


def test_kafka_down_for_a_minute_is_one_alert(line: Line, alerting: Alerting, receiver: Receiver) -> None:
    line.kafka.kill()
    killed = time.monotonic()
    until("it tells, without Kafka", stalled(receiver))
    assert not line.kafka.running
    assert any(note.startswith("STATUS=Waiting for Kafka: ") for note in alerting.notes())
    time.sleep(max(0.0, killed + 60 - time.monotonic()))  # what is promised is a minute
    line.kafka.start()
    until("it is over", lambda: Told(line.kafka).of(RULE) == STALLED, timeout=120, pause=1)
    # Long enough for a silence of those that did not come back.
    heard(alerting, 20 * len(DEVICES))
    told = Told(line.kafka)
    assert [(each.device, each.state) for each in told.alerts] == STALLED
    assert {name for name, _state in receiver.took} == {told.alerts[0].id}


@pytest.mark.parametrize("part", ["bridge", "mosquitto"])
def test_a_part_that_is_down_is_one_alert(line: Line, alerting: Alerting, receiver: Receiver, part: str) -> None:
    process: Process = line.mosquitto if part == "mosquitto" else line.made[0]
    process.kill()
    until("it tells", stalled(receiver))
    time.sleep(10)  # the devices are not heard for longer than the rule allows
    process.start()
    until("it is over", lambda: Told(line.kafka).of(RULE) == STALLED, timeout=120, pause=1)
    heard(alerting, 20 * len(DEVICES))
    assert [(each.device, each.state) for each in Told(line.kafka).alerts] == STALLED


def test_an_alerting_that_was_down_raises_nothing_about_that_time(line: Line, alerting: Alerting) -> None:
    alerting.kill()
    time.sleep(20)
    alerting.start()
    heard(alerting, 40 * len(DEVICES))
    assert Told(line.kafka).alerts == []
