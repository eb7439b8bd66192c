"""Devices, Mosquitto, an engine and Kafka, for one turn of a bench; what the engine costs, and what it loses."""

from __future__ import annotations

import contextlib
import json
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kafka import KafkaConsumer, TopicPartition

from tests.bridge.account import account, acknowledged, stored
from tests.bridge.client import Client
from tests.bridge.kafka import TELEMETRY, TOPICS, Kafka
from tests.bridge.mosquitto import Mosquitto
from tests.bridge.process import Process, until
from tests.bridge.sender import names
from tests.hosts.cache import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafka.consumer.fetcher import ConsumerRecord

    from tests.bridge.account import Message


Engine = Callable[[Path, Mosquitto, Kafka], Process]

DEVICES = 350
# A device beside those that are counted: what it sends shows that the engine is at work.
PROBE = "probe"
POLL_S = 0.02
SECONDS_WITHOUT_ANY = 10


class Moment(NamedTuple):
    """What was read at once: the clock, seconds of CPU of both, and how many records the topic has."""

    clock: float
    engine: float
    kafka: float
    records: int


class Outcome:
    """What became of the messages of a turn."""

    def __init__(self, records: list[ConsumerRecord], told: set[Message]) -> None:
        self.account = account(told, [each for each in stored(records) if each[0] != PROBE])
        self._times = [(json.loads(record.value)["ts_ns"] / 1e6, record.timestamp) for record in records]

    def delays(self, begin: Moment, end: Moment) -> list[float]:
        """Return how long each message sent in between took from its device to the log of Kafka: ms, in order."""
        first, last = begin.clock * 1e3, end.clock * 1e3
        return sorted(appended - sent for sent, appended in self._times if first <= sent < last)


@dataclass
class Line:
    """All but Kafka live for one turn."""

    root: Path
    mosquitto: Mosquitto
    kafka: Kafka
    engine: Process
    consumer: KafkaConsumer
    stack: contextlib.ExitStack

    def start(self) -> None:
        """Start the engine, and wait until it passes messages on: then its session is there too."""
        before, number = self.records(), 0
        self.engine.start()
        with Client(self.mosquitto.port, PROBE) as probe:

            def passes() -> bool:
                nonlocal number
                number += 1
                said = {"device": PROBE, "seq": number, "ts_ns": time.time_ns()}
                probe.publish(f"devices/{PROBE}/telemetry", json.dumps(said).encode())
                return self.moment().records > before

            until("a message passes", passes, pause=0.2)

    def devices(self, rate: int, count: int) -> Process:
        """Return devices that send from now on."""
        options = ["--devices", DEVICES, "--rate", rate, "--count", count, "--log", self.root / "acknowledged"]
        command = [sys.executable, "-m", "tests.bridge.sender", self.mosquitto.port, *options]
        devices = Process([str(each) for each in command], self.root / "devices.log", {"PYTHONPATH": str(REPOSITORY)})
        self.stack.callback(devices.clean_up)
        devices.start()
        return devices

    def records(self) -> int:
        """Return how many records the topic has."""
        partitions = [TopicPartition(TELEMETRY, number) for number in range(TOPICS[TELEMETRY][0])]
        return sum(self.consumer.end_offsets(partitions).values())

    def moment(self) -> Moment:
        assert self.engine.running, self.engine.tail()
        return Moment(time.time(), cpu_seconds(self.engine.pid), cpu_seconds(self.kafka.pid), self.records())

    def reach(self, records: int) -> Moment:
        """Wait until the topic has so many; return the moment of the last one where no more come."""
        last = self.moment()
        while last.records < records and time.time() - last.clock < SECONDS_WITHOUT_ANY:
            time.sleep(POLL_S)
            now = self.moment()
            last = now if now.records > last.records else last
        return last

    def outcome(self) -> Outcome:
        """Read what Kafka has."""
        return Outcome(self.kafka.records(), acknowledged(self.root / "acknowledged"))


@contextlib.contextmanager
def turn(root: Path, kafka: Kafka, engine: Engine) -> Iterator[Line]:
    """Yield a line with empty topics, a Mosquitto without sessions, and an engine that is not started."""
    root.mkdir()
    kafka.empty()
    with contextlib.ExitStack() as stack:
        mosquitto = Mosquitto(root / "mosquitto", [PROBE, *names(DEVICES)])
        stack.callback(mosquitto.clean_up)
        mosquitto.start()
        process = engine(root / "engine", mosquitto, kafka)
        stack.callback(process.clean_up)
        consumer = KafkaConsumer(bootstrap_servers=kafka.server, enable_auto_commit=False)
        stack.callback(consumer.close)
        yield Line(root, mosquitto, kafka, process, consumer, stack)


def cpu_seconds(pid: int) -> float:
    """Return what a process has used, all threads together.

    The id of its clock is what clock_getcpuclockid(3) makes of a process id on Linux; /proc counts in ticks of 10 ms.
    """
    return time.clock_gettime(~pid << 3 | 2)


def peak_mib(pid: int) -> float:
    """Return the most memory that a process has had resident."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)[1]) / 1024
