"""When it measures, and when it tells that it lives; it publishes to nobody here."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from raspi_kafka.mqtt_publisher import Publisher
from raspi_kafka.mqtt_user import Mqtt
from raspi_kafka.telemetry import agent as agents
from raspi_kafka.telemetry.agent import Agent
from raspi_kafka.telemetry.buffer import Buffer
from raspi_kafka.telemetry.courier import Courier
from raspi_kafka.telemetry.numbers import Numbers
from raspi_kafka.telemetry.sensors import Sensors


class Life:
    """An agent of which all that it measures waits in memory."""

    def __init__(self, interval_s: float, notes: socket.socket) -> None:
        self._notes = notes
        self._buffer = Buffer(Numbers(None, None), None, None)
        publisher = Publisher(Mqtt("127.0.0.1", 1, "pi1", ""))
        self.agent = Agent("pi1", interval_s, Sensors(), self._buffer, Courier(self._buffer, publisher, "t"))

    def run(self, seconds: float) -> list[dict[str, Any]]:
        """Let it live for so long; return what it has measured."""
        end = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGTERM))
        end.start()
        self.agent.run()
        said = []
        while found := self._buffer.first():
            said.append(json.loads(found.payload))
            self._buffer.remove(found)
        return said

    def told(self) -> list[str]:
        """Return what systemd was told since the last call."""
        told = []
        while True:
            try:
                told.append(self._notes.recv(65536).decode())
            except BlockingIOError:
                return told


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """What stands for systemd; it does not say how often it wants to be told."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as notes:
        notes.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.delenv("WATCHDOG_USEC", raising=False)
        yield notes
    for number, handler in before.items():
        signal.signal(number, handler)


def test_it_measures_at_once_and_when_it_ends(notes: socket.socket) -> None:
    said = Life(60, notes).run(0.5)
    assert ["bye" in each for each in said] == [False, True]


def test_the_watchdog_is_told_however_long_the_interval_is(
    notes: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "300000")
    life = Life(3600, notes)
    life.run(2)
    assert life.told().count("WATCHDOG=1") >= 5


def test_without_a_watchdog_it_sleeps_too(notes: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first time that it woke, too."""
    monkeypatch.setattr(agents, "MOST_S", 0.1)
    began = time.thread_time()
    Life(3600, notes).run(2)
    assert time.thread_time() - began < 0.5


def test_another_interval_holds_at_once(notes: socket.socket) -> None:
    life = Life(3600, notes)
    threading.Timer(0.3, life.agent.set_interval, (0.1,)).start()
    stamps = [each["ts_ns"] for each in life.run(2)]
    assert len(stamps) > 8
    assert max(after - before for before, after in itertools.pairwise(stamps)) < 1.5e9


def test_what_was_missed_is_not_made_up_for(notes: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a computer that was suspended."""
    slept = itertools.chain([1.0], itertools.repeat(0.0))
    life = Life(0.1, notes)
    read = Sensors.read

    def slow(self: Sensors) -> dict[str, Any]:
        time.sleep(next(slept))
        return read(self)

    monkeypatch.setattr(Sensors, "read", slow)
    assert len(life.run(1.5)) <= 9
