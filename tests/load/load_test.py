"""A load test against servers of a test."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any, Protocol

from raspi_kafka.report import ledger as ledgers
from raspi_kafka.report.report import judged

from tests.bridge.kafka import TELEMETRY
from tests.bridge.mosquitto import PASSWORD
from tests.bridge.process import Process
from tests.hosts.cache import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bridge.kafka import Kafka
    from tests.bridge.mosquitto import Mosquitto

DEVICES = 40
RATE = 5
SECONDS = 12


class Line(Protocol):
    """Servers, and what ends with the test."""

    root: Path
    mosquitto: Mosquitto
    kafka: Kafka
    made: list[Process]


def names() -> list[str]:
    return [f"sim-{number:05}" for number in range(1, DEVICES + 1)]


class LoadTest(Process):
    """One stage, in a process of its own."""

    def __init__(self, line: Line, *options: str) -> None:
        self.out = line.root / "load"
        self.events = line.root / "events"
        credentials = line.root / "credentials.json"
        credentials.write_text(json.dumps({"passwords": dict.fromkeys(names(), PASSWORD)}))
        places = {"mqtt": f"127.0.0.1:{line.mosquitto.port}", "kafka": line.kafka.server, "topic": TELEMETRY}
        course = {"stages": DEVICES, "ramp": 2, "hold": SECONDS, "rate": RATE, "events": self.events}
        given = {**places, "credentials": credentials, "out": self.out, **course}
        command = [
            sys.executable,
            "-m",
            "raspi_kafka",
            "load-test",
            *(f"--{key}={value}" for key, value in given.items()),
        ]
        super().__init__([*command, *options], line.root / "load.log", {"PYTHONPATH": str(REPOSITORY / "edge" / "src")})
        line.made.append(self)

    def happened(self, what: str) -> None:
        """Note what is done to the stack."""
        with self.events.open("a") as out:
            out.write(json.dumps({"at": time.time(), "what": what}) + "\n")

    def finished(self) -> Any:
        """Wait for its end; return its stage, with findings and verdict."""
        self.ended(180)
        assert (self.out / "ledger.json").exists(), self.tail()
        (found,) = judged(ledgers.load(self.out / "ledger.json"))
        return found
