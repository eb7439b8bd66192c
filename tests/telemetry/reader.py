"""What stands for the bridge: a subscriber with a session, which notes what comes in its order."""

from __future__ import annotations

import json
from typing import Any

from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import PacketTypes, Properties

from tests.bridge.mosquitto import BRIDGE, PASSWORD
from tests.bridge.process import until

SESSION_S = 3600


class Reader:
    """Comes back by itself, as the bridge does.

    :ivar messages: all that came, duplicates too.
    """

    def __init__(self, port: int) -> None:
        self.messages: list[dict[str, Any]] = []
        self._subscribed = False
        self._client = Client(CallbackAPIVersion.VERSION2, BRIDGE, protocol=MQTTv5)
        self._client.username_pw_set(BRIDGE, PASSWORD)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda *_: self._client.subscribe("devices/+/#", qos=1)
        self._client.on_subscribe = lambda *_: setattr(self, "_subscribed", True)
        self._client.on_message = lambda _client, _data, message: self.messages.append(json.loads(message.payload))
        session = Properties(PacketTypes.CONNECT)
        session.SessionExpiryInterval = SESSION_S
        self._client.connect("127.0.0.1", port, clean_start=False, properties=session)
        self._client.loop_start()
        until("it has subscribed", lambda: self._subscribed)

    def numbers(self) -> list[int]:
        """Return the numbers of all that came, each once, in the order in which it came first."""
        return list(dict.fromkeys(message["seq"] for message in self.messages))

    def until_more(self, count: int) -> None:
        """Wait until so many have come since now."""
        wanted = len(self.numbers()) + count
        until(f"{count} messages have come", lambda: len(self.numbers()) >= wanted)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
