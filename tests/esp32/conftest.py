"""Servers, and a device for each test."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.bridge.bridge import Bridge
from tests.bridge.conftest import class_path, kafka, kafka_server
from tests.bridge.process import Process, running, until

from .air import Air
from .chrony import Chrony
from .device import NAME, Device
from .tls import TLSMosquitto

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.bridge.kafka import Kafka

__all__ = ["class_path", "kafka", "kafka_server"]
HOME = "home"  # who sends commands
ACL = f"""\
pattern read cmd/%u
pattern write answers/%u
user {HOME}
topic write cmd/#
topic read answers/#
"""


@dataclass
class Line:
    """A device, the air, Mosquitto, the bridge and Kafka."""

    root: Path
    mosquitto: TLSMosquitto
    kafka: Kafka
    air: Air
    ntp: Chrony
    bridge: Bridge
    made: list[Process]

    def device(self, **settings: Any) -> Device:
        """Return a device that is not started."""
        device = Device(self.root / NAME, self.air.port, self.ntp.port, **settings)
        self.made.append(device)
        return device

    def cut(self, device: Device) -> None:
        """Take the device out of the Wi-Fi."""
        self.air.cut()
        device.wifi(up=False)

    def mend(self, device: Device) -> None:
        """Bring it back."""
        self.air.mend()
        device.wifi(up=True)

    def heard(self, what: str = "telemetry") -> list[dict[str, Any]]:
        """Return what Kafka has of the device, in its order."""
        topic = f"devices/{NAME}/{what}".encode()
        return [json.loads(each.value) for each in self.kafka.records() if dict(each.headers)["mqtt.topic"] == topic]

    def appended_ms(self) -> list[int]:
        """Return when Kafka has stored each of its records."""
        return [each.timestamp for each in self.kafka.records()]

    def numbers(self) -> list[int]:
        return [said["seq"] for said in self.heard()]

    def flows(self, more: int = 10) -> None:
        """Wait until so many more messages have come into Kafka."""
        before = self.bridge.metrics().get("acked_total", 0)

        def moved() -> bool:
            assert all(each.running for each in self.made), "a device has ended"
            now = self.bridge.metrics().get("acked_total", -1)
            return now >= before + more

        until("messages flow", moved, timeout=120)


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[TLSMosquitto]:
    with running(TLSMosquitto(tmp_path / "mosquitto", [NAME, HOME], ACL)) as mosquitto:
        yield mosquitto


@pytest.fixture
def ntp(tmp_path: Path) -> Iterator[Chrony]:
    with running(Chrony(tmp_path / "ntp")) as chrony:
        yield chrony


@pytest.fixture
def line(tmp_path: Path, mosquitto: TLSMosquitto, kafka: Kafka, ntp: Chrony) -> Iterator[Line]:
    bridge = Bridge(tmp_path / "bridge", mosquitto, kafka)
    air = Air(mosquitto.port)
    line = Line(tmp_path, mosquitto, kafka, air, ntp, bridge, [bridge])
    try:
        bridge.start()
        yield line
    finally:
        for each in reversed(line.made):
            print(each.tail())
            each.clean_up()
        air.close()
