"""All of it, tied together: each second what sensors say goes into the buffer, and from there to the MQTT server."""

from __future__ import annotations

import contextlib
import json
import logging
import queue
import signal
import time
from typing import TYPE_CHECKING, Any

from ..systemd import notify, watchdog_interval_s

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .buffer import Buffer
    from .courier import Courier
    from .sensors import Sensors

log = logging.getLogger(__name__)

# Which devices are Pis: others have their own kind, or none.
KIND = "pi"
# So often it looks whether all of it lives if systemd does not say how often.
MOST_S = 60.0


class AgentError(Exception):
    """It can't go on."""


class Agent:
    """Runs until it is told to end."""

    def __init__(self, device: str, interval_s: float, sensors: Sensors, buffer: Buffer, courier: Courier) -> None:
        self._device = device
        self._interval_s = interval_s
        self._sensors = sensors
        self._buffer = buffer
        self._courier = courier
        self._ended = False
        # No Event: a signal handler that sets one waits for ever if it has interrupted who holds its lock.
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()

    def set_interval(self, seconds: float) -> None:
        """Measure so often from now on, until this process ends; for other threads."""
        self._interval_s = seconds
        self._wake.put(None)

    def run(self) -> None:
        """Return after SIGTERM or SIGINT.

        :raises AgentError: the thread that publishes has ended.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        self._courier.start()
        notify("READY=1")
        try:
            self._measure_on()
        finally:
            notify("STOPPING=1")
            self._courier.stop()

    def _end(self, *_signal: object) -> None:
        self._ended = True
        self._wake.put(None)

    def _measure_on(self) -> None:
        alive_s = watchdog_interval_s() or MOST_S
        told, measured = time.monotonic(), float("-inf")
        while not self._ended:
            if not self._courier.alive:
                raise AgentError("the thread that publishes has ended")
            now = time.monotonic()
            if now - told >= alive_s:
                notify("WATCHDOG=1")
                told = now
            due = measured + self._interval_s
            if now >= due:
                # What was missed, as in a suspended computer, is not made up for.
                measured = due if now - due < self._interval_s else now
                self._measure({})
            self._sleep_until(min(measured + self._interval_s, told + alive_s))
        # Alerting does not miss who says so.
        self._measure({"bye": True})

    def _sleep_until(self, until: float) -> None:
        with contextlib.suppress(queue.Empty):
            self._wake.get(timeout=max(0.0, until - time.monotonic()))

    def _measure(self, more: Mapping[str, Any]) -> None:
        measured = {"ts_ns": time.time_ns(), **self._sensors.read(), **more}
        self._buffer.put(lambda number: payload(self._device, number, measured))
        self._courier.look()


def payload(device: str, number: int, measured: Mapping[str, Any]) -> bytes:
    """Return what is published; the keys that simulated devices have are called the same (simulate/telemetry.py)."""
    return json.dumps({"device": device, "kind": KIND, "seq": number, **measured}, separators=(",", ":")).encode()
