"""One TCP connection to the MQTT server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from .. import mqtt_wire
from ..mqtt_wire import Connack, Disconnect, MalformedPacketError, reason
from . import packets
from .packets import Answer, Parser, Pong, Publish

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .packets import Login, Packet


class Handler(Protocol):
    """Whom a connection tells what came, in the order in which it came."""

    def connack(self, connection: Connection, connack: Connack) -> None:
        """The server has answered CONNECT; before that a connection must not be paused."""

    def publishes(self, publishes: list[Publish]) -> None:
        """Messages came."""


class Connection(asyncio.Protocol):
    """Sends CONNECT at once, keeps alive, and can stop reading.

    :ivar closed: why the connection ended, once it has.
    """

    def __init__(self, login: Login, handler: Handler) -> None:
        self._login = login
        self._handler = handler
        self._loop = asyncio.get_running_loop()
        self._parser = Parser()
        self._connack: asyncio.Future[Connack] = self._loop.create_future()
        self._answers: dict[int, asyncio.Future[bytes]] = {}
        self._last_id = 0
        self._ping: asyncio.TimerHandle | None = None
        self._ping_unanswered = False
        self._why = ""
        self._ending = False
        self._rest: asyncio.TimerHandle | None = None
        self.reading = True
        self.closed: asyncio.Future[str] = self._loop.create_future()

    # --- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._transport.write(packets.connect(self._login))

    def data_received(self, data: bytes) -> None:
        if self._ending:
            return
        try:
            came = self._parser.feed(data)
        except MalformedPacketError as wrong:
            self.abort(f"the MQTT server does not speak MQTT 5: {wrong}")
            return
        batch: list[Publish] = []
        for packet in came:
            if packet.__class__ is Publish:
                batch.append(packet)  # type: ignore[arg-type]
                continue
            if batch:
                self._handler.publishes(batch)
                batch = []
            self._take(packet)
        if batch:
            self._handler.publishes(batch)

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._ping, self._rest):
            if timer:
                timer.cancel()
        self.closed.set_result(self._why or (f"the connection broke: {exc}" if exc else CLOSED))
        for future in (self._connack, *self._answers.values()):
            if not future.done():
                future.cancel()

    # --- what the bridge calls

    async def connected(self, timeout_s: float) -> Connack | None:
        """Return the answer to CONNECT; None if the connection ended before it came.

        :raises asyncio.TimeoutError: none came in time; before Python 3.11 that is not the built-in one.
        """
        done, _pending = await asyncio.wait(
            {self._connack, self.closed}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
        )
        if not done:
            raise asyncio.TimeoutError(f"no answer to CONNECT within {timeout_s:.0f} s")
        return self._connack.result() if self._connack.done() and not self._connack.cancelled() else None

    def keep_alive(self, interval_s: float) -> None:
        """Ping from now on: a server may close a connection that is silent for 1.5 intervals (3.1.2.10)."""
        self._ping = self._loop.call_later(interval_s, self._pinged, interval_s)

    def subscribe(self, filters: Iterable[str], options: str = "at_least_once") -> asyncio.Future[bytes]:
        """Send SUBSCRIBE; the future has the reason codes, and is cancelled with the connection."""
        packet_id, answer = self._asked()
        self.write(packets.subscribe(packet_id, filters, options))
        return answer

    def unsubscribe(self, filters: Iterable[str]) -> asyncio.Future[bytes]:
        """Send UNSUBSCRIBE; the future as that of subscribe()."""
        packet_id, answer = self._asked()
        self.write(packets.unsubscribe(packet_id, filters))
        return answer

    def write(self, data: bytes) -> None:
        """Send bytes; none after the end."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def pause(self) -> None:
        """Stop reading: what the server can't send waits there."""
        self.reading = False
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        self.reading = True
        self._ping_unanswered = False
        self._read_on()

    def rest(self, seconds: float) -> None:
        """Let messages gather before the next look at the socket: each look costs more than what a message does."""
        if self._rest is None and not self._transport.is_closing():
            self._transport.pause_reading()
            self._rest = self._loop.call_later(seconds, self._rested)

    def disconnect(self) -> None:
        """Let the server end it in good order; the session goes on.

        A socket that is closed with something unread is reset, and the server then loses PUBACKs that it has not read
        (RFC 1122, 4.2.2.13): so what still comes is read and left to the next connection, until the server closes.
        """
        self._why = "the bridge ended it"
        self._ending = True
        self.write(mqtt_wire.DISCONNECT_BYTES)
        self._read_on()

    def abort(self, why: str) -> None:
        """End it at once."""
        self._why = self._why or why
        self._transport.abort()

    # --- what the server says

    def _take(self, packet: Packet) -> None:
        if isinstance(packet, Connack) and not self._connack.done():
            self._connack.set_result(packet)
            self._handler.connack(self, packet)
        elif isinstance(packet, Answer):
            answer = self._answers.pop(packet.packet_id, None)
            if answer and not answer.done():
                answer.set_result(packet.reasons)
        elif isinstance(packet, Pong):
            self._ping_unanswered = False
        elif isinstance(packet, Disconnect):
            self._why = disconnected(packet)
            self._transport.close()

    def _rested(self) -> None:
        self._rest = None
        self._read_on()

    def _read_on(self) -> None:
        wanted = self._ending or (self.reading and self._rest is None)
        if wanted and not self._transport.is_closing():
            self._transport.resume_reading()

    def _asked(self) -> tuple[int, asyncio.Future[bytes]]:
        self._last_id = self._last_id % 0xFFFF + 1
        answer: asyncio.Future[bytes] = self._loop.create_future()
        self._answers[self._last_id] = answer
        return self._last_id, answer

    def _pinged(self, interval_s: float) -> None:
        # While nothing is read the answer can't be seen; the server still has to see the question.
        if self._ping_unanswered and self.reading:
            self.abort(f"the MQTT server was silent for {interval_s:.0f} s")
            return
        self._ping_unanswered = self.reading
        self.write(mqtt_wire.PINGREQ_BYTES)
        self.keep_alive(interval_s)


TAKEN_OVER = 0x8E
# Mosquitto 2.0.11 does so without a word when another client takes the session over, and when it ends.
CLOSED = (
    "the MQTT server closed the connection; if it does so again, look whether another client has this mqtt.client_id"
)


def disconnected(packet: Disconnect) -> str:
    """Return why the server has ended the connection, and what to do about it."""
    if packet.reason == TAKEN_OVER:
        return (
            "another client with the same client id took the session over; "
            "let only one bridge use this mqtt.client_id and mqtt.username"
        )
    told = packet.properties.get(mqtt_wire.REASON_STRING)
    return f"the MQTT server ended the connection: {reason(packet.reason)}" + (
        f" ({told.decode(errors='replace')})" if isinstance(told, bytes) else ""
    )
