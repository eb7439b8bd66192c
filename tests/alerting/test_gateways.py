"""Two gateways of one cluster: what stalls at one says nothing of the devices of the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from raspi_kafka.alert.alert import FLEET, State
from raspi_kafka.alert.pipeline import RULE

from tests.bridge.process import running, until

from .conftest import DEVICES, Line, server
from .fleet import Fleet
from .test_hosts import GATEWAYS
from .test_silence import Device
from .test_stall import SILENT, STALLED, heard
from .told import Told

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ONE, OTHER, SILENT_ONE = DEVICES[:20], DEVICES[20:40], DEVICES[40]


@pytest.fixture
def beside(tmp_path: Path, line: Line) -> Iterator[Line]:
    """The other gateway."""
    root = tmp_path / "other"
    root.mkdir()
    with running(server(root)) as mosquitto:
        beside = Line(root, mosquitto, line.kafka)
        yield beside
        beside.clean_up()


def test_a_bridge_that_stalls_is_one_alert_and_devices_elsewhere_are_judged(line: Line, beside: Line) -> None:
    alertings = []
    for place, name, devices in ((line, GATEWAYS[0], ONE), (beside, GATEWAYS[1], OTHER)):
        place.bridge(instance=name)
        alertings.append(place.alerting([SILENT], instance=name, gateways=GATEWAYS))
        alertings[-1].start()
        # The host that decided in the test before this one keeps the lease until its session ends.
        until("the first one decides", lambda: alertings[0].metrics()["active"] == 1)
        place.started(Fleet(place.root / "fleet", place.mosquitto, devices))
    silent = Device(line, SILENT_ONE)
    heard(alertings[0], 5 * len(ONE + OTHER))
    bridge = beside.made[0]
    bridge.kill()
    until("it is told", lambda: Told(line.kafka).of(RULE) == STALLED[:1])
    assert "what devices send to other does not come" in Told(line.kafka).alerts[0].summary
    metrics = alertings[0].metrics()
    assert [metrics[f'pipeline_stalled{{gateway="{name}"}}'] for name in GATEWAYS] == [0, 1]
    silent.stop()
    until("who is silent at the first one is found", lambda: Told(line.kafka).of(SILENT["name"]))
    bridge.start()
    until("it is over", lambda: Told(line.kafka).of(RULE) == STALLED, timeout=120, pause=1)
    heard(alertings[0], 20 * len(OTHER))
    told = Told(line.kafka)
    assert [(each.device, each.state) for each in told.alerts if each.device != FLEET] == [(SILENT_ONE, State.FIRING)]
