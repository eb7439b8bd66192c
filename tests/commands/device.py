"""A device: an MQTT client with a session that outlives its connections, which does what the product says one does."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from raspi_kafka.commands import device
from raspi_kafka.commands.topics import from_device, to_device

from tests.bridge.mosquitto import PASSWORD

if TYPE_CHECKING:
    from tests.bridge.mosquitto import Mosquitto

SECONDS = 30


class Got(NamedTuple):
    """A command that came.

    :ivar at_ms: when, milliseconds since 1970.
    """

    id: str
    expires_ms: int
    at_ms: float


class Device:
    """Comes and goes.

    :param answers: whether it answers.
    :ivar got: all that came, again ones too.
    """

    def __init__(self, mosquitto: Mosquitto, name: str, *, answers: bool = True) -> None:
        self.name = name
        self.got: list[Got] = []
        self.intervals: list[float] = []
        self._port = mosquitto.port
        self._answers = answers
        self._commands = device.Commands(name)
        self._client: Client | None = None

    def come(self) -> Device:
        """Connect and subscribe, and again whenever the connection is lost."""
        subscribed = threading.Event()
        client = self._client = Client(CallbackAPIVersion.VERSION2, self.name, protocol=MQTTv5)
        client.reconnect_delay_set(1, 1)
        client.username_pw_set(self.name, PASSWORD)
        client.on_connect = lambda *_told: client.subscribe(to_device(self.name), 1)
        client.on_subscribe = lambda *_told: subscribed.set()
        client.on_message = self._on_message
        lasting = Properties(PacketTypes.CONNECT)
        lasting.SessionExpiryInterval = 3600
        client.connect("127.0.0.1", self._port, clean_start=False, properties=lasting)
        client.loop_start()
        assert subscribed.wait(SECONDS)
        return self

    def go(self) -> None:
        """Disconnect; the session stays."""
        if self._client:
            self._client.disconnect()
            self._client.loop_stop()
            self._client = None

    @property
    def ids(self) -> list[str]:
        """The ids of what came, each at its first time."""
        return list(dict.fromkeys(each.id for each in self.got))

    def _on_message(self, client: Client, _data: Any, message: MQTTMessage) -> None:
        said = json.loads(message.payload)
        self.got.append(Got(said["id"], said["expires_ms"], time.time() * 1000))
        reply = self._commands.take(message.payload, time.time_ns())
        if reply.interval_s is not None:
            self.intervals.append(reply.interval_s)
        if self._answers:
            client.publish(from_device(self.name), reply.answer, 1)
