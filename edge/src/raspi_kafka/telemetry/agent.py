"""All of it, tied together: each second what sensors say goes into the buffer, and from there to the MQTT server."""

from __future__ import annotations

import json
import logging
import signal
import threading
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
# So long at most it sleeps without a watchdog, whatever its interval is.
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
        self._wake = threading.Event()

    def set_interval(self, seconds: float) -> None:
        """Measure so often from now on, until this process ends; for other threads."""
        self._interval_s = seconds
        self._due = time.monotonic()
        self._wake.set()

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
        self._wake.set()

    def _measure_on(self) -> None:
        alive_s = watchdog_interval_s()
        told = time.monotonic()
        self._due = told + self._interval_s
        while not self._ended:
            self._wake.wait(max(0.0, min(self._due, told + (alive_s or MOST_S)) - time.monotonic()))
            self._wake.clear()
            if not self._courier.alive:
                raise AgentError("the thread that publishes has ended")
            now = time.monotonic()
            if alive_s and now - told >= alive_s:
                notify("WATCHDOG=1")
                told = now
            if now >= self._due and not self._ended:
                # What was missed, as in a suspended computer, is not made up for.
                self._due = max(self._due + self._interval_s, now)
                self._measure({})
        # Alerting does not miss who says so.
        self._measure({"bye": True})

    def _measure(self, more: Mapping[str, Any]) -> None:
        measured = {"ts_ns": time.time_ns(), **self._sensors.read(), **more}
        self._buffer.put(lambda number: payload(self._device, number, measured))
        self._courier.look()


def payload(device: str, number: int, measured: Mapping[str, Any]) -> bytes:
    """Return what is published; the keys that simulated devices have are called the same (simulate/telemetry.py)."""
    return json.dumps({"device": device, "kind": KIND, "seq": number, **measured}, separators=(",", ":")).encode()
