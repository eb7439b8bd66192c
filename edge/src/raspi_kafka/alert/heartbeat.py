"""Messages that alerting sends by MQTT as a device does, to see them come back from Kafka."""

from __future__ import annotations

import json
import logging
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from ..errors import RefusedError, UnreachableError
from .topics import HEARTBEAT

if TYPE_CHECKING:
    from ..mqtt_publisher import Publisher

log = logging.getLogger(__name__)

HEARTBEAT_S = 2.0


class Beat(NamedTuple):
    """One of them.

    :ivar host: who has sent it.
    :ivar seq: its number, from 0, in the life of the process.
    :ivar sent_ms: when it was given to the connection, milliseconds since 1970 by the clock of the host.
    """

    host: str
    seq: int
    sent_ms: int

    def to_json(self) -> bytes:
        """Return the payload."""
        return json.dumps(self._asdict()).encode()

    @classmethod
    def from_json(cls, value: bytes | None) -> Beat:
        """Return the beat of a record.

        :raises ValueError: it is none.
        """
        try:
            said = json.loads(value)
            beat = cls(said["host"], said["seq"], said["sent_ms"])
        except (KeyError, TypeError) as wrong:
            raise ValueError(f"no heartbeat: {wrong!r}") from wrong
        if tuple(map(type, beat)) != (str, int, int):
            raise ValueError(f"no heartbeat: {beat}")
        return beat


def topic(username: str) -> str:
    """Return the MQTT topic on which a user sends them."""
    return f"{HEARTBEAT}/{username}/beat"


class Heartbeat:
    """Sends them in a thread of its own, and none late."""

    def __init__(self, publisher: Publisher, username: str, host: str) -> None:
        self._publisher = publisher
        self._topic = topic(username)
        self._host = host
        self._seq = 0
        self._told = ""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Send from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Send no more."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        due = time.monotonic()
        while not self._ended.wait(max(0.0, due - time.monotonic())):
            if self._publisher.connected:
                self._send()
            due = max(due + HEARTBEAT_S, time.monotonic())  # those that were not sent meanwhile are not made up for

    def _send(self) -> None:
        beat = Beat(self._host, self._seq, time.time_ns() // 1_000_000)
        self._seq += 1
        try:
            self._publisher.publish(self._topic, beat.to_json())
        except (UnreachableError, RefusedError) as wrong:
            if str(wrong) != self._told:
                log.error("no heartbeat: %s", wrong)
            self._told = str(wrong)
        else:
            self._told = ""
