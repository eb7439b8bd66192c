"""Two gateways of one cluster: what stalls at one says nothing of the devices of the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from raspi_kafka.alert.alert import GATEWAY, State
from raspi_kafka.alert.pipeline import RULE

from tests.bridge.process import running, until

from .conftest import DEVICES, Line, server
from .fleet import Fleet
from .test_hosts import GATEWAYS
from .test_silence import Device
from .test_stall import SILENT, heard
from .told import Told

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .alerting import Alerting

OF_ONE, OF_OTHER = DEVICES[:20], DEVICES[20:40]
SILENT_DEVICE = DEVICES[40]


@pytest.fixture
def beside(tmp_path: Path, line: Line) -> Iterator[Line]:
    """The other gateway."""
    root = tmp_path / "other"
    root.mkdir()
    with running(server(root)) as mosquitto:
        beside = Line(root, mosquitto, line.kafka)
        yield beside
        beside.clean_up()


@pytest.fixture
def alertings(line: Line, beside: Line) -> list[Alerting]:
    """Both, the first of which decides, with devices that have been heard."""
    places = list(zip((line, beside), GATEWAYS, (OF_ONE, OF_OTHER), strict=True))
    for place, name, _devices in places:
        place.bridge(instance=name)
    alertings = [place.alerting([SILENT], instance=name, gateways=GATEWAYS) for place, name, _devices in places]
    alertings[0].start()
    # The host that decided in the test before this one keeps the lease until its session ends.
    until("the first one decides", lambda: alertings[0].metrics()["active"] == 1)
    alertings[1].start()
    for place, _name, devices in places:
        place.started(Fleet(place.root / "fleet", place.mosquitto, devices))
    heard(alertings[0], 5 * len(OF_ONE + OF_OTHER))
    return alertings


@pytest.mark.parametrize("stalled", GATEWAYS)
def test_a_gateway_that_stalls_is_one_alert_and_devices_elsewhere_are_judged(
    line: Line, beside: Line, alertings: list[Alerting], stalled: str
) -> None:
    """The one that decides goes as a whole, so that the other takes over; of the other the bridge alone."""
    decider_goes = stalled == GATEWAYS[0]
    goes, stays, decides = (line, beside, alertings[1]) if decider_goes else (beside, line, alertings[0])
    parts = goes.made[:2] if decider_goes else goes.made[:1]
    silent = Device(stays, SILENT_DEVICE)
    heard(alertings[0], 5 * len(OF_ONE))
    for each in parts:
        each.kill()
    begin, end = ((GATEWAY + stalled, state) for state in (State.FIRING, State.RESOLVED))
    until("it is told", lambda: Told(line.kafka).of(RULE) == [begin], timeout=120)
    metrics = decides.metrics()
    told = [metrics[f'pipeline_stalled{{gateway="{name}"}}'] for name in GATEWAYS]
    assert told == [name == stalled for name in GATEWAYS]
    silent.stop()
    until("who is silent elsewhere is found", lambda: Told(line.kafka).of(SILENT["name"]))
    for each in parts:
        each.start()
    until("it is over", lambda: Told(line.kafka).of(RULE) == [begin, end], timeout=120, pause=1)
    heard(decides, 20 * len(OF_OTHER))
    assert Told(line.kafka).of(SILENT["name"]) == [(SILENT_DEVICE, State.FIRING)]
