"""Of several hosts one decides; when it goes, another one does."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.bridge.process import until

from .planted import RULES, Planted
from .test_once import DEVICES, RATE, caught_up
from .told import Told

if TYPE_CHECKING:
    from .alerting import Alerting
    from .conftest import Line

GATEWAYS = ["one", "other"]


@pytest.fixture
def two(line: Line) -> tuple[Alerting, Alerting]:
    """Two hosts, the first of which decides."""
    first, second = (line.alerting(RULES, name, instance=name, gateways=GATEWAYS) for name in GATEWAYS)
    first.start()
    # The host that decided in the test before this one keeps the lease until its session ends.
    until("the first decides", lambda: first.metrics()["active"] == 1)
    second.start()
    assert (first.metrics()["active"], second.metrics()["active"]) == (1, 0)
    return first, second


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP])
def test_each_episode_is_told_once_whoever_decides(line: Line, two: tuple[Alerting, Alerting], end: int) -> None:
    """SIGSTOP is the harder one: whoever wakes up again still believes that it decides."""
    first, second = two
    planted = Planted(line.kafka.server, DEVICES, RATE)
    planted.start()
    until("the first tells", lambda: len(Told(line.kafka).alerts) > DEVICES)
    first.signal(end)
    until("the other decides", lambda: second.metrics()["active"] == 1)
    told = len(Told(line.kafka).alerts)
    until("the other tells", lambda: len(Told(line.kafka).alerts) > told + DEVICES)
    if end == signal.SIGSTOP:
        first.signal(signal.SIGCONT)
        assert first.ended(60) == 1, "it ends, and stands by after that"
        first.start()
        assert first.metrics()["active"] == 0
    planted.stop()
    assert caught_up(line, planted).counts == dict.fromkeys(planted.expected(), 1)


def test_who_stands_by_and_stops_leaves_the_other_alone(line: Line, two: tuple[Alerting, Alerting]) -> None:
    first, second = two
    assert second.stop() == 0
    planted = Planted(line.kafka.server, DEVICES, RATE)
    planted.start()
    until("the first tells", lambda: len(Told(line.kafka).alerts) > DEVICES)
    planted.stop()
    assert caught_up(line, planted).counts == dict.fromkeys(planted.expected(), 1)
    assert first.running, first.tail()
