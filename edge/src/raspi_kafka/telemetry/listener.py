"""Takes commands for this host, and answers them (docs/commands.md has what a device promises)."""

from __future__ import annotations

import logging
import queue
import threading
import time
from typing import TYPE_CHECKING

from ..commands.device import Commands
from ..commands.topics import from_device
from ..errors import RefusedError, UnreachableError
from ..mqtt_publisher import NO_MATCHING_SUBSCRIBERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..mqtt_publisher import Connection, Publisher

log = logging.getLogger(__name__)

# An answer that nobody would get, as while the bridge has no session, is given again so often.
PAUSE_S = 1.0


class Listener:
    """Runs in a thread of its own, since paho's has to bring the acknowledgement of an answer.

    A command is acknowledged once its answer is: whatever ends before that, it comes again, and is answered again
    without being done twice while this process lives.
    """

    def __init__(self, device: str) -> None:
        self._topic = from_device(device)
        self._commands = Commands(device)
        self._came: queue.SimpleQueue[tuple[Connection, int, bytes] | None] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def put(self, connection: Connection, mid: int, payload: bytes) -> None:
        """Take a command that came."""
        self._came.put((connection, mid, payload))

    def start(self, publisher: Publisher, set_interval: Callable[[float], None]) -> None:
        """Follow commands from now on, and answer them.

        :param set_interval: is given the seconds of the command `interval`.
        """
        self._thread = threading.Thread(target=self._run, args=(publisher, set_interval), name="listener", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; what is not answered comes again."""
        self._ended.set()
        self._came.put(None)
        if self._thread:
            self._thread.join()

    def _run(self, publisher: Publisher, set_interval: Callable[[float], None]) -> None:
        while came := self._came.get():
            connection, mid, payload = came
            reply = self._commands.take(payload, time.time_ns())
            if reply.interval_s is not None:
                log.info("measuring every %g s, as a command says", reply.interval_s)
                set_interval(reply.interval_s)
            while connection.open and not self._ended.is_set():
                if not reply.answer or self._answer(publisher, reply.answer):
                    connection.ack(mid)
                    break
                self._ended.wait(PAUSE_S)

    def _answer(self, publisher: Publisher, answer: bytes) -> bool:
        """Return whether the server has the answer, or never will."""
        try:
            return publisher.publish(self._topic, answer).value != NO_MATCHING_SUBSCRIBERS
        except UnreachableError as wrong:
            log.warning("an answer waits: %s", wrong)
            return False
        except RefusedError as wrong:
            log.error("an answer is dropped: %s", wrong)
            return True
