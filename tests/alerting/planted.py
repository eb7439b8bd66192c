"""Devices that say what rules are to find, straight into Kafka, and what has to be found."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import Producer
from raspi_kafka.alert.alert import Alert, Place, State

from tests.bridge.kafka import TELEMETRY

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message

RULE = "hot"
RULES = [{"name": RULE, "threshold": {"field": "temperature", "above": 50, "clear": 40}}]
# A device is hot for some of its messages.
PERIOD, FROM, TO = 40, 20, 25


class Said(NamedTuple):
    """A record that Kafka has."""

    place: Place
    hot: bool


class Planted:
    """A fleet whose devices get hot now and then.

    :param rate: messages a second, of all of them.
    """

    def __init__(self, server: str, devices: int, rate: float) -> None:
        self._devices = [f"pi-{number:05}" for number in range(devices)]
        self._rate = rate
        self._producer = Producer(
            {
                "bootstrap.servers": server,
                "enable.idempotence": True,
                "message.timeout.ms": 0,
                "linger.ms": 5,
                "partitioner": "murmur2_random",
            }
        )
        self._said: dict[str, list[Said]] = {device: [] for device in self._devices}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.sent = 0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Let all get cool, and wait until Kafka has it."""
        self._ending.set()
        self._thread.join()
        for device in self._devices:
            self._say(device, hot=False)
        assert self._producer.flush(120) == 0

    def expected(self) -> set[tuple[str, State]]:
        """Return ids and states of all alerts that have to be in Kafka, once each."""
        found = set()
        for device, said in self._said.items():
            firing = None
            for place, hot in said:
                if hot and firing is None:
                    firing = Alert(State.FIRING, RULE, device, "warning", place, 0, 0, "").id
                    found.add((firing, State.FIRING))
                elif not hot and firing is not None:
                    found.add((firing, State.RESOLVED))
                    firing = None
        return found

    def _run(self) -> None:
        began = time.monotonic()
        while not self._ending.is_set():
            number, index = divmod(self.sent, len(self._devices))
            due = began + self.sent / self._rate
            self._producer.poll(max(0.0, due - time.monotonic()))
            # Each device is hot at another time.
            self._say(self._devices[index], hot=FROM <= (number + index) % PERIOD < TO)
            self.sent += 1

    def _say(self, device: str, *, hot: bool) -> None:
        value = json.dumps({"device": device, "seq": self.sent, "ts_ns": time.time_ns(), "temperature": 20 + 40 * hot})

        def stored(error: KafkaError | None, message: Message) -> None:
            assert error is None
            place = Place(message.topic(), message.partition(), message.offset())
            self._said[device].append(Said(place, hot))

        self._producer.produce(TELEMETRY, value, device, on_delivery=stored)
