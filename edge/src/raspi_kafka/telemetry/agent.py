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
        self._ended = threading.Event()

    def run(self) -> None:
        """Return after SIGTERM or SIGINT.

        :raises AgentError: the thread that publishes has ended.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._ended.set())
        self._courier.start()
        notify("READY=1")
        try:
            self._measure_on()
        finally:
            notify("STOPPING=1")
            self._courier.stop()

    def _measure_on(self) -> None:
        alive_s = watchdog_interval_s()
        told = time.monotonic()
        due = told + self._interval_s
        while not self._ended.wait(max(0.0, due - time.monotonic())):
            if not self._courier.alive:
                raise AgentError("the thread that publishes has ended")
            self._measure({})
            now = time.monotonic()
            if alive_s and now - told >= alive_s:
                notify("WATCHDOG=1")
                told = now
            due = max(
                due + self._interval_s, now
            )  # those that were missed, as in a suspended computer, are not made up for
        # Alerting does not miss who says so.
        self._measure({"bye": True})

    def _measure(self, more: Mapping[str, Any]) -> None:
        measured = {"ts_ns": time.time_ns(), **self._sensors.read(), **more}
        self._buffer.put(lambda number: payload(self._device, number, measured))
        self._courier.look()


def payload(device: str, number: int, measured: Mapping[str, Any]) -> bytes:
    """Return what is published; the keys that simulated devices have are called the same (simulate/telemetry.py)."""
    return json.dumps({"device": device, "kind": KIND, "seq": number, **measured}, separators=(",", ":")).encode()
