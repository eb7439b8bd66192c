"""A program that publishes for all devices of a fleet by one MQTT connection, and what rules have to find of that."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from raspi_kafka.alert.alert import Place

from tests.bridge.kafka import TELEMETRY
from tests.bridge.mosquitto import PASSWORD
from tests.bridge.process import until

from .planted import Hot, Said, episodes

if TYPE_CHECKING:
    from raspi_kafka.alert.alert import State

    from tests.bridge.kafka import Cluster
    from tests.bridge.mosquitto import Mosquitto

USER = "house"


class House(Hot):
    """Each device says something each second.

    :ivar taken: how many messages Mosquitto has acknowledged.
    """

    def __init__(self, mosquitto: Mosquitto, devices: int) -> None:
        super().__init__(devices, devices)
        self.taken = 0
        self._client = Client(CallbackAPIVersion.VERSION2, USER, protocol=MQTTv5)
        self._client.username_pw_set(USER, PASSWORD)
        self._client.max_queued_messages_set(0)
        self._client.on_publish = self._on_publish
        self._client.connect("127.0.0.1", mosquitto.port)
        self._client.loop_start()

    def _wait(self, seconds: float) -> None:
        time.sleep(seconds)

    def _send(self, device: str, payload: str, *, hot: bool) -> None:  # noqa: ARG002 - the payload says it
        self._client.publish(f"devices/{device}/telemetry", payload, qos=1)

    def _finish(self) -> None:
        until("Mosquitto has all", lambda: self.taken == self.sent)
        self._client.loop_stop()

    def _on_publish(self, *_told: object) -> None:
        self.taken += 1


def expected(kafka: Cluster) -> set[tuple[str, State]]:
    """Return ids and states of all alerts that have to be there, once each, by the records of devices in Kafka."""
    return episodes(
        Said(
            record.key.decode(),
            Place(TELEMETRY, record.partition, record.offset),
            json.loads(record.value)["temperature"] > 50,
        )
        for record in kafka.records(TELEMETRY)
    )
