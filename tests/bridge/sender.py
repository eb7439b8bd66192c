"""Devices that number their messages, each with a connection of its own (MQTT 3.1.1, QoS 1).

python -m tests.bridge.sender PORT --devices N --rate R --count C --log FILE

A device sends again what was not acknowledged, in order, after it has connected again. Each PUBACK is a line of the
log, `device seq`, written at once. The process ends with 0 when each of C messages of all devices is acknowledged;
SIGTERM makes it send no new ones.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import time
from pathlib import Path

from .mosquitto import PASSWORD

KEEP_ALIVE_S = 60
PAUSE_S = 0.2
# A tick serves all devices whose turn has come.
TICK_S = 0.01


class Device:
    """One device: what it has sent and what was acknowledged."""

    def __init__(self, name: str, log: int, skew_s: float) -> None:
        self.name = name
        self._log = log
        self._skew_ns = int(skew_s * 1e9)
        self._writer: asyncio.StreamWriter | None = None
        self._next = 0
        self.open: dict[int, bytes] = {}  # by number, which counts from 0

    def send(self) -> None:
        """Send the next message, or keep it until there is a connection."""
        number = self._next
        self._next += 1
        said = {"device": self.name, "seq": number, "ts_ns": time.time_ns() + self._skew_ns, "temperature": 21.5}
        self.open[number] = json.dumps(said).encode()
        if self._writer:
            self._writer.write(self._frame(number, 0x32))

    async def live(self, port: int) -> None:
        """Stay connected."""
        while True:
            with contextlib.suppress(OSError, EOFError):
                await self._connected(port)
            self._writer = None
            await asyncio.sleep(PAUSE_S)

    async def _connected(self, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(connect(self.name))
            answer = await reader.readexactly(4)
            assert answer[3] == 0, f"{self.name} was refused: {answer[3]}"
            for number in sorted(self.open):
                writer.write(self._frame(number, 0x3A))
            self._writer = writer
            while True:
                kind, _length, high, low = await reader.readexactly(4)
                assert kind == 0x40, f"{self.name} got 0x{kind:02x}"
                self._acknowledged(high << 8 | low)
        finally:
            writer.close()

    def _frame(self, number: int, first: int) -> bytes:
        topic = f"devices/{self.name}/telemetry".encode()
        body = prefixed(topic) + (number % 0xFFFF + 1).to_bytes(2, "big") + self.open[number]
        assert len(body) < 0x4000
        return bytes([first, len(body) & 0x7F | 0x80, len(body) >> 7]) + body

    def _acknowledged(self, packet_id: int) -> None:
        number = next(each for each in self.open if each % 0xFFFF + 1 == packet_id)
        del self.open[number]
        os.write(self._log, f"{self.name} {number}\n".encode())


def connect(name: str) -> bytes:
    """Return CONNECT with a clean session: what was not acknowledged the device itself remembers."""
    body = prefixed(b"MQTT") + b"\x04\xc2" + KEEP_ALIVE_S.to_bytes(2, "big")
    body += prefixed(name.encode()) + prefixed(name.encode()) + prefixed(PASSWORD.encode())
    return bytes([0x10, len(body)]) + body


def prefixed(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def names(count: int) -> list[str]:
    """Return the names of devices."""
    return [f"device-{number:03}" for number in range(count)]


async def run(given: argparse.Namespace) -> None:
    log = os.open(given.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    devices = [Device(name, log, given.skew) for name in names(given.devices)]
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    lives = [asyncio.ensure_future(device.live(given.port)) for device in devices]
    began, sent = time.monotonic(), 0
    while sent < given.count and not stopped.is_set():
        due = min(int((time.monotonic() - began) * given.rate), given.count)
        while sent < due:
            devices[sent % len(devices)].send()
            sent += 1
        raise_first(lives)
        await asyncio.sleep(TICK_S)
    while any(device.open for device in devices):
        raise_first(lives)
        await asyncio.sleep(TICK_S)


def raise_first(tasks: list[asyncio.Future[None]]) -> None:
    for task in tasks:
        if task.done():
            task.result()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--devices", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True, help="messages a second, of all devices")
    parser.add_argument("--count", type=int, required=True, help="messages of all devices")
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--skew", type=float, default=0, help="seconds that the clocks of the devices are ahead")
    asyncio.run(run(parser.parse_args()))
