"""A program that publishes for all devices of a fleet by one MQTT connection, and what rules have to find of that."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from raspi_kafka.alert.alert import Alert, Place, State

from tests.bridge.kafka import TELEMETRY
from tests.bridge.mosquitto import PASSWORD

from .planted import FROM, PERIOD, RULE, TO

if TYPE_CHECKING:
    from tests.bridge.kafka import Cluster
    from tests.bridge.mosquitto import Mosquitto

USER = "house"


class House:
    """Each device says something each second, and gets hot now and then.

    :ivar taken: how many messages Mosquitto has acknowledged.
    """

    def __init__(self, mosquitto: Mosquitto, devices: int) -> None:
        self._devices = [f"pi-{number:05}" for number in range(devices)]
        self._client = Client(CallbackAPIVersion.VERSION2, USER, protocol=MQTTv5)
        self._client.username_pw_set(USER, PASSWORD)
        self._client.max_queued_messages_set(0)
        self._client.on_publish = self._on_publish
        self._client.connect("127.0.0.1", mosquitto.port)
        self._client.loop_start()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.sent = self.taken = 0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Let all get cool, and wait until Mosquitto has it."""
        self._ending.set()
        self._thread.join()
        for device in self._devices:
            self._say(device, hot=False)
        end = time.monotonic() + 60
        while self.taken < self.sent and time.monotonic() < end:
            time.sleep(0.1)
        self._client.loop_stop()
        assert self.taken == self.sent

    def _run(self) -> None:
        began = time.monotonic()
        while not self._ending.wait(max(0.0, began + self.sent / len(self._devices) - time.monotonic())):
            number, index = divmod(self.sent, len(self._devices))
            self._say(self._devices[index], hot=FROM <= (number + index) % PERIOD < TO)

    def _say(self, device: str, *, hot: bool) -> None:
        said = {"device": device, "seq": self.sent, "ts_ns": time.time_ns(), "temperature": 20 + 40 * hot}
        self._client.publish(f"devices/{device}/telemetry", json.dumps(said), qos=1)
        self.sent += 1

    def _on_publish(self, *_told: object) -> None:
        self.taken += 1


def expected(kafka: Cluster) -> set[tuple[str, State]]:
    """Return ids and states of all alerts that have to be there, once each, by the records of devices in Kafka."""
    firing: dict[str, str] = {}
    found = set()
    for record in kafka.records(TELEMETRY):
        device, hot = record.key.decode(), json.loads(record.value)["temperature"] > 50
        if hot and device not in firing:
            place = Place(TELEMETRY, record.partition, record.offset)
            firing[device] = Alert(State.FIRING, RULE, device, "warning", place, 0, 0, "").id
            found.add((firing[device], State.FIRING))
        elif not hot and device in firing:
            found.add((firing.pop(device), State.RESOLVED))
    return found
