"""Servers for the module, topics and a bridge for each test."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.conftest import class_path
from tests.hosts.cache import REPOSITORY

from .account import Account, account, acknowledged, stored
from .bridge import Bridge
from .kafka import Kafka
from .mosquitto import Mosquitto
from .process import Process, running
from .sender import names

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["class_path"]
DEVICES = 50


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory, class_path: str) -> Iterator[Kafka]:
    with running(Kafka(tmp_path_factory.mktemp("bridge") / "kafka", class_path)) as kafka:
        yield kafka


@pytest.fixture
def kafka(kafka_server: Kafka) -> Kafka:
    """Kafka with empty topics."""
    if not kafka_server.running:
        kafka_server.start()
    kafka_server.empty()
    return kafka_server


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    with running(Mosquitto(tmp_path / "mosquitto", names(DEVICES + 1))) as mosquitto:
        yield mosquitto


@dataclass
class Line:
    """Devices, Mosquitto, bridge and Kafka."""

    root: Path
    mosquitto: Mosquitto
    kafka: Kafka
    made: list[Process]

    def bridge(self, name: str = "bridge", **more: Any) -> Bridge:
        """Return a bridge that is not started."""
        bridge = Bridge(self.root / name, self.mosquitto, self.kafka, **more)
        self.made.append(bridge)
        return bridge

    def sender(self, rate: float, count: int, *options: str) -> Process:
        """Return devices that send from now on."""
        arguments = [
            "--devices",
            DEVICES,
            "--rate",
            rate,
            "--count",
            count,
            "--log",
            self.root / "acknowledged",
            *options,
        ]
        command = [sys.executable, "-m", "tests.bridge.sender", self.mosquitto.port, *arguments]
        sender = Process([str(each) for each in command], self.root / "sender.log", {"PYTHONPATH": str(REPOSITORY)})
        self.made.append(sender)
        sender.start()
        return sender

    def account(self) -> Account:
        """Compare what devices saw acknowledged with what Kafka has."""
        return account(acknowledged(self.root / "acknowledged"), stored(self.kafka.records()))


@pytest.fixture
def line(tmp_path: Path, mosquitto: Mosquitto, kafka: Kafka) -> Iterator[Line]:
    line = Line(tmp_path, mosquitto, kafka, [])
    try:
        yield line
    finally:
        for each in line.made:
            each.clean_up()
