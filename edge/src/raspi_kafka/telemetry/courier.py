"""Takes what waits to the MQTT server, one message after the other, each until it is acknowledged."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from ..errors import RefusedError, UnreachableError
from ..mqtt_publisher import NO_MATCHING_SUBSCRIBERS
from ..systemd import notify

if TYPE_CHECKING:
    from ..mqtt_publisher import Publisher
    from .buffer import Buffer

log = logging.getLogger(__name__)

SECONDS_TO_END = 3.0
PAUSE_S = 1.0
# So often in a row a server may refuse before it is the next one's turn.
MOST_REFUSALS = 10


class Courier:
    """Runs in a thread of its own, and saves what waits.

    One message is under way at a time, so that order holds however a connection ends, and one comes twice at most.
    """

    def __init__(self, buffer: Buffer, publisher: Publisher, topic: str) -> None:
        self._buffer = buffer
        self._publisher = publisher
        self._topic = topic
        self._status = ""
        self._refusals = 0
        self._came = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether it works."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Take messages from now on."""
        self._thread.start()

    def look(self) -> None:
        """There is a message."""
        self._came.set()

    def stop(self) -> None:
        """Try for some seconds to take what is left, and save the rest."""
        self._ended.set()
        self._came.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.is_set():
            self._came.wait(PAUSE_S)
            self._came.clear()
            self._take_all(float("inf"))
            self._buffer.save(time.monotonic())
        self._take_all(time.monotonic() + SECONDS_TO_END)
        self._buffer.close(time.monotonic())

    def _take_all(self, until: float) -> None:
        while self._publisher.connected and time.monotonic() < until:
            waiting = self._buffer.first()
            if waiting is None or not self._take(waiting.payload):
                return
            self._buffer.remove(waiting)
            self._buffer.save(time.monotonic())
            if self._ended.is_set() and until == float("inf"):
                return
        if not self._publisher.connected:
            self._refusals = 0
            self._tell(f"no connection to the MQTT server {self._publisher.server}; messages wait here")

    def _take(self, payload: bytes) -> bool:
        """Return whether the server has a message, or never will."""
        try:
            answer = self._publisher.publish(self._topic, payload)
        except UnreachableError as wrong:
            self._refused(f"messages wait here: {wrong}")
            return False
        except RefusedError as wrong:
            log.error("a message is dropped: %s", wrong)
            return True
        if answer.value == NO_MATCHING_SUBSCRIBERS:  # when the bridge has no session there
            self._refused(
                f"messages wait here: nobody would get them at {self._publisher.server}; look whether the bridge has "
                "its session there (systemctl status raspi-kafka-bridge)"
            )
            return False
        self._refusals = 0
        self._tell(f"acknowledged by the MQTT server {self._publisher.server}")
        return True

    def _refused(self, status: str) -> None:
        self._tell(status)
        self._refusals += 1
        if self._refusals == MOST_REFUSALS:
            self._refusals = 0
            self._publisher.next_server("it takes no messages")

    def _tell(self, status: str) -> None:
        if status != self._status:
            self._status = status
            log.info("%s", status)
            notify(f"STATUS={status}")
