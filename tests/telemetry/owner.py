"""What stands for the service of commands: gives commands to the agent, and reads its answers."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from raspi_kafka.commands.topics import ANSWERS, from_device, to_device
from raspi_kafka.mqtt_publisher import NO_MATCHING_SUBSCRIBERS

from tests.bridge.mosquitto import PASSWORD
from tests.bridge.process import until

from .agent import DEVICE

OWNER = "owner"
SECONDS = 30
# As the roles give the rights.
ACL = f"""
pattern write {ANSWERS}/%u
pattern read cmd/%u
user {OWNER}
topic write cmd/#
topic read {ANSWERS}/+
"""


class Owner:
    """Gives commands, and listens to answers once it is asked to.

    :ivar answers: all that came, again ones too.
    """

    def __init__(self, port: int) -> None:
        self.answers: list[dict[str, Any]] = []
        self._reasons: dict[int, int] = {}
        self._connected, self._subscribed = threading.Event(), threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, OWNER, protocol=MQTTv5)
        self._client.username_pw_set(OWNER, PASSWORD)
        self._client.on_connect = lambda *_told: self._connected.set()
        self._client.on_subscribe = lambda *_told: self._subscribed.set()
        self._client.on_publish = lambda _client, _data, mid, reason, _more: self._reasons.update({mid: reason.value})
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._connected.wait(SECONDS)

    def listen(self) -> None:
        """Take answers from now on."""
        self._client.subscribe(from_device(DEVICE), 1)
        assert self._subscribed.wait(SECONDS)

    def give(self, number: str, command: str, **args: Any) -> None:
        """Give a command; until the agent has a session there is nobody who would get it."""
        said = {"id": number, "command": command, "expires_ms": int((time.time() + 600) * 1000), "args": args}
        until(f"there is a session for {number}", lambda: self._taken(json.dumps(said)))

    def ask(self, number: str, command: str, **args: Any) -> dict[str, Any]:
        """Give a command, and return its answer."""
        before = len(self.of(number))
        self.give(number, command, **args)
        until(f"{number} is answered", lambda: len(self.of(number)) > before)
        return self.of(number)[-1]

    def of(self, number: str) -> list[dict[str, Any]]:
        """Return the answers to a command."""
        return [each for each in list(self.answers) if each["id"] == number]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _taken(self, payload: str) -> bool:
        mid = self._client.publish(to_device(DEVICE), payload, 1).mid
        until("the server answers", lambda: mid in self._reasons)
        reason = self._reasons.pop(mid)
        assert reason in (0, NO_MATCHING_SUBSCRIBERS)
        return reason == 0

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        self.answers.append(json.loads(message.payload))
