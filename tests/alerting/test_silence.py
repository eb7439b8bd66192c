"""Whoever is not heard is silent, and nobody else."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from raspi_kafka.alert.alert import State

from tests.bridge.client import Client
from tests.bridge.process import until

from .told import Told

if TYPE_CHECKING:
    from .conftest import Line

RULES = [{"name": "silent", "silence": {"after": "6s"}}]
SILENT, LEAVING, LOUD = "sim-00001", "sim-00002", "sim-00003"


class Device:
    """Says something each half second."""

    def __init__(self, line: Line, name: str) -> None:
        self._client = Client(line.mosquitto.port, name)
        self._topic = f"devices/{name}/telemetry"
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self, last: bytes = b"{}") -> None:
        self._ending.set()
        self._thread.join()
        self._client.publish(self._topic, last)
        self._client.drop()

    def _run(self) -> None:
        while not self._ending.wait(0.5):
            self._client.publish(self._topic, b'{"temperature": 20}')


def test_a_device_that_stops_is_silent_until_it_is_heard_again(line: Line) -> None:
    line.bridge()
    alerting = line.alerting(RULES)
    alerting.start()
    silent, leaving, loud = (Device(line, name) for name in (SILENT, LEAVING, LOUD))
    until("they are heard", lambda: alerting.metrics().get("records_total", 0) > 30)
    silent.stop()
    leaving.stop(b'{"bye": true}')
    until("it is told", lambda: Told(line.kafka).of("silent") == [(SILENT, State.FIRING)], pause=0.5)
    time.sleep(7)  # the others are not, however long one waits
    assert Told(line.kafka).of("silent") == [(SILENT, State.FIRING)]
    again = Device(line, SILENT)
    both = [(SILENT, State.FIRING), (SILENT, State.RESOLVED)]
    until("it is over", lambda: Told(line.kafka).of("silent") == both, pause=0.5)
    firing, resolved = Told(line.kafka).alerts
    assert firing.id == resolved.id
    for each in (again, loud):
        each.stop()
