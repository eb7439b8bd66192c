"""Servers, a bridge that carries answers, and services of commands that end with the test."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Producer
from raspi_kafka.commands.topics import ANSWERS, COMMANDS

from tests.bridge.bridge import Bridge
from tests.bridge.conftest import kafka
from tests.bridge.kafka import DEAD_LETTERS, TELEMETRY, TOPICS, Kafka
from tests.bridge.mosquitto import BRIDGE, Mosquitto
from tests.bridge.process import Process, running, until
from tests.e2e.conftest import class_path

from .device import Device
from .service import TOPICS as COMMAND_TOPICS
from .service import USER, Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["class_path", "kafka"]
KITCHEN, HALL, CELLAR = "kitchen", "hall", "cellar"
DEVICES = [KITCHEN, HALL, CELLAR]
# As the role gives the rights.
ACL = f"""
user {BRIDGE}
topic read {ANSWERS}/+
user {USER}
topic write cmd/#
pattern write {ANSWERS}/%u
pattern read cmd/%u
"""
TREES = [{"filter": "devices/+/#", "topic": TELEMETRY}, {"filter": f"{ANSWERS}/+", "topic": ANSWERS}]


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory, class_path: str) -> Iterator[Kafka]:
    server = Kafka(tmp_path_factory.mktemp("commands") / "kafka", class_path)
    server.topics = {**TOPICS, **COMMAND_TOPICS}
    with running(server):
        yield server


@dataclass
class Line:
    """Kafka, gateways and devices.

    :ivar mosquitto: of the first gateway.
    """

    root: Path
    kafka: Kafka
    mosquitto: Mosquitto
    made: list[Process] = field(default_factory=list)
    devices: list[Device] = field(default_factory=list)

    def gateway(self, name: str) -> Mosquitto:
        """Return the Mosquitto of one more gateway, with its bridge."""
        root = self.root / name
        root.mkdir()
        mosquitto = Mosquitto(root / "mosquitto", [USER, *DEVICES], ACL)
        self.made.append(mosquitto)
        mosquitto.start()
        self.bridge(mosquitto, root / "bridge")
        return mosquitto

    def bridge(self, mosquitto: Mosquitto, root: Path) -> Bridge:
        """Return a bridge that runs."""
        bridge = Bridge(root, mosquitto, self.kafka, topics=TREES)
        self.made.append(bridge)
        bridge.start()
        return bridge

    def service(
        self, name: str = "one", mosquitto: Mosquitto | None = None, module: str = "raspi_kafka", **more: Any
    ) -> Service:
        """Return a service that is not started."""
        service = Service(self.root / name, mosquitto or self.mosquitto, self.kafka, module, **more)
        self.made.append(service)
        return service

    def device(self, name: str, mosquitto: Mosquitto | None = None, *, answers: bool = True) -> Device:
        """Return a device that has not come yet."""
        device = Device(mosquitto or self.mosquitto, name, answers=answers)
        self.devices.append(device)
        return device

    def give(self, device: str, /, *ids: str, life_s: float | None = None, **more: Any) -> None:
        """Give commands to a device."""
        values = []
        for each in ids:
            said = {"id": each, "command": "ping", **more}
            if life_s is not None:
                said["expires_ms"] = int((time.time() + life_s) * 1000)
            values.append(json.dumps(said).encode())
        self._put(COMMANDS, device.encode(), *values)

    def put(self, key: bytes | None, value: bytes | None, topic: str = COMMANDS) -> None:
        """Put a record into a topic."""
        self._put(topic, key, value)

    def _put(self, topic: str, key: bytes | None, *values: bytes | None) -> None:
        producer = Producer({"bootstrap.servers": self.kafka.server})
        for value in values:
            producer.produce(topic, value, key)
        assert producer.flush(30) == 0

    def answers(self, device: str | None = None) -> list[tuple[str, str]]:
        """Return id and status of all answers, or of those of a device, in their order."""
        records = self.kafka.records(ANSWERS)
        found = [json.loads(each.value) for each in records if device in (None, each.key.decode())]
        return [(each["id"], each["status"]) for each in found]

    def told(self, device: str, **expected: str) -> None:
        """Wait until each of these ids has had this as its first answer, and nothing else of the device has one."""
        until(f"all of {expected} is told", lambda: {each for each, _status in self.answers(device)} >= set(expected))
        assert dict(reversed(self.answers(device))) == expected

    def now_ms(self) -> float:
        """Return the time, milliseconds since 1970."""
        return time.time() * 1000

    def dead_letters(self) -> list[Any]:
        """Return the records of the dead-letter topic."""
        return self.kafka.records(DEAD_LETTERS)


@pytest.fixture
def line(tmp_path: Path, kafka: Kafka) -> Iterator[Line]:
    mosquitto = Mosquitto(tmp_path / "mosquitto", [USER, *DEVICES], ACL)
    line = Line(tmp_path, kafka, mosquitto, [mosquitto])
    try:
        mosquitto.start()
        line.bridge(mosquitto, tmp_path / "bridge")
        yield line
    finally:
        for device in line.devices:
            device.go()
        for each in line.made:
            each.clean_up()
