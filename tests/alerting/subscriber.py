"""Whoever reads alerts by MQTT."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from tests.bridge.mosquitto import PASSWORD

if TYPE_CHECKING:
    from tests.bridge.mosquitto import Mosquitto

SECONDS = 30


class Subscriber:
    """Is subscribed from the start."""

    def __init__(self, mosquitto: Mosquitto, name: str, topics: str) -> None:
        self.messages: list[MQTTMessage] = []
        subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, name, protocol=MQTTv5)
        self._client.username_pw_set(name, PASSWORD)
        self._client.on_connect = lambda *_told: self._client.subscribe(topics, 1)
        self._client.on_subscribe = lambda *_told: subscribed.set()
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", mosquitto.port)
        self._client.loop_start()
        assert subscribed.wait(SECONDS)

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        self.messages.append(message)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
