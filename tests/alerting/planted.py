"""Devices that say what rules are to find, straight into Kafka, and what has to be found."""

from __future__ import annotations

import json
import threading
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import Producer
from raspi_kafka.alert.alert import Alert, Place, State

from tests.bridge.kafka import TELEMETRY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from confluent_kafka import KafkaError, Message

RULE = "hot"
RULES = [{"name": RULE, "threshold": {"field": "temperature", "above": 50, "clear": 40}}]
# A device is hot for some of its messages.
PERIOD, FROM, TO = 40, 20, 25


class Said(NamedTuple):
    """A record that Kafka has."""

    device: str
    place: Place
    hot: bool


class Hot(ABC):
    """A fleet whose devices get hot now and then.

    :param rate: messages a second, of all of them.
    :ivar sent: how many there were.
    """

    def __init__(self, devices: int, rate: float) -> None:
        self._devices = [f"pi-{number:05}" for number in range(devices)]
        self._rate = rate
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.sent = 0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Let all get cool, and wait until all of it has been taken."""
        self._ending.set()
        self._thread.join()
        for device in self._devices:
            self._say(device, hot=False)
        self._finish()

    def _run(self) -> None:
        began = time.monotonic()
        while not self._ending.is_set():
            number, index = divmod(self.sent, len(self._devices))
            self._wait(max(0.0, began + self.sent / self._rate - time.monotonic()))
            # Each device is hot at another time.
            self._say(self._devices[index], hot=FROM <= (number + index) % PERIOD < TO)

    def _say(self, device: str, *, hot: bool) -> None:
        said = {"device": device, "seq": self.sent, "ts_ns": time.time_ns(), "temperature": 20 + 40 * hot}
        self._send(device, json.dumps(said), hot=hot)
        self.sent += 1

    @abstractmethod
    def _wait(self, seconds: float) -> None:
        """Let time pass until the next message is due."""

    @abstractmethod
    def _send(self, device: str, payload: str, *, hot: bool) -> None:
        """Send a message."""

    @abstractmethod
    def _finish(self) -> None:
        """Wait until all has been taken."""


class Planted(Hot):
    """Says it to Kafka, which tells where each record stands."""

    def __init__(self, server: str, devices: int, rate: float) -> None:
        super().__init__(devices, rate)
        self._producer = Producer(
            {
                "bootstrap.servers": server,
                "enable.idempotence": True,
                "message.timeout.ms": 0,
                "linger.ms": 5,
                "partitioner": "murmur2_random",
            }
        )
        self._said: list[Said] = []

    def expected(self) -> set[tuple[str, State]]:
        """Return ids and states of all alerts that have to be in Kafka, once each."""
        return episodes(self._said)

    def _wait(self, seconds: float) -> None:
        self._producer.poll(seconds)

    def _send(self, device: str, payload: str, *, hot: bool) -> None:
        def stored(error: KafkaError | None, message: Message) -> None:
            assert error is None
            self._said.append(Said(device, Place(message.topic(), message.partition(), message.offset()), hot))

        self._producer.produce(TELEMETRY, payload, device, on_delivery=stored)

    def _finish(self) -> None:
        assert self._producer.flush(120) == 0


def episodes(said: Iterable[Said]) -> set[tuple[str, State]]:
    """Return ids and states of the alerts that follow from records, those of a device in their order."""
    firing: dict[str, str] = {}
    found = set()
    for device, place, hot in said:
        if hot and device not in firing:
            firing[device] = Alert(State.FIRING, RULE, device, "warning", place, 0, 0, "").id
            found.add((firing[device], State.FIRING))
        elif not hot and device in firing:
            found.add((firing.pop(device), State.RESOLVED))
    return found
