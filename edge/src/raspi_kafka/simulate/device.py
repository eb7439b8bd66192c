"""One device: its connection, and how it comes by another."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import time
from typing import TYPE_CHECKING, Protocol

from .. import mqtt_wire
from ..mqtt_wire import PUBACK, REFUSED, MalformedPacketError, reason
from . import frames
from .outbox import Outbox

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

    from .options import Credential
    from .telemetry import Telemetry

SECONDS_TO_CONNECT = 10
LONGEST_FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
# Closed so, a connection is reset and leaves no port in TIME_WAIT (RFC 9293, 3.10.7.4) that the next one would need.
RESET = struct.pack("ii", 1, 0)
PUBACK_SIZES = (4, 5)  # without and with a reason code
CLOSED = "the MQTT server closed the connection"


class Site(Protocol):
    """What the devices of a process share.

    :ivar address: of the MQTT server.
    :ivar gate: how many may be connecting at a time.
    :ivar faults: what went wrong, and how often.
    :ivar ending: a connection that ends is not lost.
    """

    address: tuple[str, int]
    gate: asyncio.Semaphore
    faults: Counter[str]
    ending: bool

    def now_s(self) -> float:
        """Return the seconds since the run began."""


class Device(asyncio.Protocol):
    """Sends what it measures, and stays connected.

    :ivar accepted: the server has accepted the connection that there is.
    :ivar connections: how many the server has accepted.
    :ivar disconnects: how many of them were lost.
    :ivar leaving: its next message is its last one, or was.
    """

    __slots__ = (
        *("_answer", "_closed", "_connect", "_heard", "_most", "_paused", "_pinged", "_rest", "_site", "_telemetry"),
        *("_refusals", "_transport", "_why", "accepted", "connections", "disconnects", "leaving", "name", "outbox"),
    )

    def __init__(self, credential: Credential, qos: int, telemetry: Telemetry, site: Site) -> None:
        self.name = credential.device
        self.outbox = Outbox(frames.Publisher(f"devices/{self.name}/telemetry", qos), qos)
        self.accepted = self.leaving = False
        self.connections = self.disconnects = self._refusals = 0
        self._connect = frames.connect(*credential)
        self._telemetry = telemetry
        self._site = site
        self._transport: asyncio.Transport | None = None
        self._most = 0
        self._paused = self._heard = self._pinged = False
        self._rest = b""
        self._why = ""

    @property
    def planted(self) -> Sequence[tuple[str, int, int]]:
        """What it was told to do and did: kind (options.KINDS), message with which it began, first one after it.

        Messages are named by number; a silence began with the last one before it.
        """
        return ()

    @property
    def refused(self) -> int:
        """Return how many connections and messages the server has refused."""
        return self._refusals + self.outbox.refused

    # --- what the fleet calls

    def measure(self, now_s: float, day: float) -> None:
        """Make a message, and send it if the connection allows it; else it is sent as soon as it does."""
        outbox = self.outbox
        outbox.put(self._telemetry.payload(outbox.made, time.time_ns(), day))
        self._send(now_s)

    def leave(self) -> None:
        """Say in the next message that it is the last one: a device that is switched off on purpose is not silent."""
        self.leaving = True
        self._telemetry = self._telemetry.last()

    async def live(self, connects_at_s: float) -> None:
        """Connect, again and again."""
        await asyncio.sleep(connects_at_s - self._site.now_s())
        failures = 0
        while True:
            async with self._site.gate:
                accepted = await self._connected()
            failures = 0 if accepted else failures + 1
            if self._transport:
                await self._closed
            await asyncio.sleep(random.uniform(0, min(LONGEST_PAUSE_S, LONGEST_FIRST_PAUSE_S * 2**failures)))

    def look(self) -> None:
        """Ping a server that has said nothing since the last look; drop the connection if it was pinged then."""
        if not self.accepted:
            return
        if not self._heard:
            if self._pinged:
                self.drop("the MQTT server was silent")
                return
            self._transport.write(mqtt_wire.PINGREQ_BYTES)  # type: ignore[union-attr]
        self._pinged = not self._heard
        self._heard = False

    def drop(self, why: str) -> None:
        """Lose the connection without a word to the server."""
        if not self._transport:
            return
        self._why = self._why or why
        self._most = 0
        if not self._transport.is_closing():
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self._transport.abort()

    def disconnect(self) -> None:
        """Let the server close the connection: it reads all that was sent before it does."""
        if self.accepted:
            self._most = 0
            self._transport.write(mqtt_wire.DISCONNECT_BYTES)  # type: ignore[union-attr]

    # --- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._rest, self._why = b"", ""
        self._transport.write(self._connect)  # type: ignore[union-attr]

    def data_received(self, data: bytes) -> None:
        self._heard = True
        size = len(data)
        try:
            # One PUBACK is nearly all that ever comes at a time.
            if size in PUBACK_SIZES and data[0] == PUBACK and data[1] == size - 2 and not self._rest:
                self._take(PUBACK, data[2:])
            else:
                packets, self._rest = frames.split(self._rest + data)
                for first, body in packets:
                    self._take(first & 0xF0, body)
        except (MalformedPacketError, IndexError) as wrong:
            self.drop(f"the MQTT server does not speak MQTT 5: {wrong}")
            return
        if self.outbox.waiting:
            self._send(self._site.now_s())

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._send(self._site.now_s())

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._site.ending and (self.accepted or not self._answer.done()):
            self.disconnects += self.accepted
            self._site.faults[self._why or (str(exc) if exc else CLOSED)] += 1
        self._transport = None
        self.accepted = self._paused = False
        self.outbox.connection_lost()
        for future in (self._answer, self._closed):
            if not future.done():
                future.set_result(False)

    # --- the connection

    async def _connected(self) -> bool:
        """Connect; tell whether the server has accepted it."""
        try:
            # Before Python 3.11 its time-out is none of the built-in ones.
            return await asyncio.wait_for(self._handshake(), SECONDS_TO_CONNECT)
        except (OSError, asyncio.TimeoutError) as failed:
            why = str(failed) or f"no answer to CONNECT within {SECONDS_TO_CONNECT} s"
            self._site.faults[why] += 1
            self.drop(why)
            return False

    async def _handshake(self) -> bool:
        loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[bool] = loop.create_future()
        self._closed: asyncio.Future[bool] = loop.create_future()
        await loop.create_connection(lambda: self, *self._site.address)
        return await self._answer

    def _send(self, now_s: float) -> None:
        if self.accepted and not self._paused:
            packets = self.outbox.take(now_s * 1000, self._most)
            if packets:
                self._transport.write(packets)  # type: ignore[union-attr]

    # --- what the server says

    def _take(self, kind: int, body: bytes) -> None:
        if kind in (PUBACK, mqtt_wire.PUBCOMP):
            self._answered(body)
        elif kind == mqtt_wire.PUBREC:
            self._received(body)
        elif kind == mqtt_wire.CONNACK:
            self._welcomed(mqtt_wire.connack(body))
        elif kind == mqtt_wire.DISCONNECT:
            self._why = f"the MQTT server ended the connection: {reason(mqtt_wire.disconnect(body).reason)}"
            self._most = 0
            self._transport.close()  # type: ignore[union-attr]
        elif kind != mqtt_wire.PINGRESP:
            raise MalformedPacketError(f"a packet of type {kind >> 4} was sent, which no server sends to a publisher")

    def _answered(self, body: bytes) -> None:
        packet_id = body[0] << 8 | body[1]
        if len(body) > 2 and body[2] >= REFUSED:
            self._refused(packet_id, body[2])
        else:
            self.outbox.acknowledge(packet_id, self._site.now_s() * 1000)

    def _received(self, body: bytes) -> None:
        """PUBREC: the server has the message, and asks for leave to forget its packet id (4.3.3)."""
        packet_id = body[0] << 8 | body[1]
        if len(body) > 2 and body[2] >= REFUSED:
            self._refused(packet_id, body[2])
        elif self.outbox.holds(packet_id):
            self._transport.write(frames.pubrel(packet_id))  # type: ignore[union-attr]

    def _refused(self, packet_id: int, code: int) -> None:
        self.outbox.refuse(packet_id)
        self._site.faults[f"a message was refused: {reason(code)}"] += 1

    def _welcomed(self, connack: mqtt_wire.Connack) -> None:
        if self._answer.done():
            raise MalformedPacketError("CONNACK came twice")
        self.accepted = connack.reason == 0
        if self.accepted:
            self.connections += 1
            self._most = connack.properties.get(mqtt_wire.RECEIVE_MAXIMUM, frames.PACKET_IDS)
        else:
            self._refusals += 1
            why = f"a connection was refused: {reason(connack.reason)}"
            self._site.faults[why] += 1
            self.drop(why)
        self._answer.set_result(self.accepted)
        self._send(self._site.now_s())
