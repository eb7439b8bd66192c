"""MQTT 5 on the wire: the packets of a client that subscribes, without any socket.

Only what the bridge needs is here: it never publishes, and it asks for QoS 1 at most, so that no QoS 2 packet exists.
Source: OASIS MQTT Version 5.0; section numbers are its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .. import mqtt_wire
from ..mqtt_wire import (
    CONNACK,
    DISCONNECT,
    PINGRESP,
    PUBLISH,
    SUBACK,
    UNSUBACK,
    Connack,
    Disconnect,
    MalformedPacketError,
    Properties,
    packet,
    properties_at,
    text,
    variable_at,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

PUBACK_BYTES = b"\x40\x02"

# 3.3.1.3, 3.8.3.1: at most QoS 1; retained messages only if the subscription is new, not at every reconnect.
SUBSCRIBE_OPTIONS = {"at_least_once": 0x11, "at_most_once": 0x00}


class Publish:
    """A message from the server.

    :ivar topic: as on the wire, UTF-8.
    :ivar packet_id: 1 to 65535 with QoS 1; 0 with QoS 0.
    :ivar properties: by identifier; those that may occur more than once are lists.
    """

    __slots__ = ("dup", "packet_id", "payload", "properties", "topic")

    def __init__(self, topic: bytes, payload: bytes, packet_id: int, dup: int, properties: Properties | None) -> None:
        self.topic = topic
        self.payload = payload
        self.packet_id = packet_id
        self.dup = dup
        self.properties = properties


class Answer(NamedTuple):
    """SUBACK or UNSUBACK: a reason code for each filter that was asked."""

    kind: int
    packet_id: int
    reasons: bytes


class Pong(NamedTuple):
    """The answer to PINGREQ."""


Packet = Publish | Connack | Answer | Disconnect | Pong


# --- out


class Login(NamedTuple):
    """What CONNECT says.

    :ivar receive_maximum: how many QoS 1 messages the server may send without an acknowledgement.
    """

    client_id: str
    username: str
    password: str
    keep_alive_s: int
    session_expiry_s: int
    receive_maximum: int


def connect(login: Login) -> bytes:
    """Return CONNECT: no clean start, and no will."""
    flags = 0x80 | 0x40  # user name, password
    properties = (
        b"\x11" + login.session_expiry_s.to_bytes(4, "big") + b"\x21" + login.receive_maximum.to_bytes(2, "big")
    )
    return mqtt_wire.connect(flags, login.keep_alive_s, properties, (login.client_id, login.username, login.password))


def subscribe(packet_id: int, filters: Iterable[str], options: str = "at_least_once") -> bytes:
    """Return SUBSCRIBE.

    :param options: "at_least_once", or "at_most_once" with the retained messages each time.
    """
    flags = bytes([SUBSCRIBE_OPTIONS[options]])
    return packet(0x82, packet_id.to_bytes(2, "big") + b"\0" + b"".join(text(each) + flags for each in filters))


def unsubscribe(packet_id: int, filters: Iterable[str]) -> bytes:
    """Return UNSUBSCRIBE."""
    return packet(0xA2, packet_id.to_bytes(2, "big") + b"\0" + b"".join(text(each) for each in filters))


def pubacks(packet_ids: Iterable[int]) -> bytes:
    """Return a PUBACK of each, success."""
    return b"".join([PUBACK_BYTES + each.to_bytes(2, "big") for each in packet_ids])


# --- in


class Parser:
    """Makes packets of the bytes of a stream, however they are cut."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._size = 0
        self._wanted = 0

    def feed(self, data: bytes) -> list[Packet]:
        """Return the packets that are whole by now.

        :raises MalformedPacketError: the stream can't be read on.
        """
        if self._rest:
            self._rest.append(data)
            self._size += len(data)
            if self._size < self._wanted:  # a large packet is joined once, when all of it is there
                return []
            data = b"".join(self._rest)
            self._rest.clear()
        try:
            packets, end = self._whole(data)
        except IndexError:
            raise MalformedPacketError("a packet is shorter than what it says is in it") from None
        if end < len(data):
            self._rest.append(data[end:] if end else data)
            self._size = len(data) - end
        return packets

    def _whole(self, data: bytes) -> tuple[list[Packet], int]:
        """Return the whole packets and where the first one begins that is not."""
        packets: list[Packet] = []
        add = packets.append
        at, size = 0, len(data)
        self._wanted = 0
        while size - at > 1:
            length = data[at + 1]
            start = at + 2
            if length > 0x7F:
                length, start = variable_at(data, at + 1)
                if not start:
                    break
            end = start + length
            if end > size:
                self._wanted = end - at
                break
            first = data[at]
            # Most of all that comes is QoS 1 with no property, so this is the path that is kept short.
            add(publish_at(data, first, start, end) if first & 0xF0 == PUBLISH else other_at(data, first, start, end))
            at = end
        return packets, at


def publish_at(data: bytes, first: int, start: int, end: int) -> Publish:
    """Return the PUBLISH whose variable header begins at `start`."""
    at = start + 2 + (data[start] << 8 | data[start + 1])
    topic = data[start + 2 : at]
    packet_id = 0
    if first & 0x06:
        if first & 0x04:
            raise MalformedPacketError("QoS 2 was sent, although QoS 1 is the most that was asked for")
        packet_id = data[at] << 8 | data[at + 1]
        at += 2
    properties = None
    if data[at]:
        properties, at = properties_at(data, at, end)
    else:
        at += 1
    if at > end or not topic:
        raise MalformedPacketError("PUBLISH is shorter than its topic, or names none")
    return Publish(topic, data[at:end], packet_id, first & 0x08, properties)


def other_at(data: bytes, first: int, start: int, end: int) -> Packet:
    """Return a packet that is no PUBLISH."""
    kind = first & 0xF0
    body = data[start:end]
    if kind == CONNACK:
        return mqtt_wire.connack(body)
    if kind in (SUBACK, UNSUBACK):
        at = properties_at(body, 2, len(body))[1]
        return Answer(kind, body[0] << 8 | body[1], body[at:])
    if kind == PINGRESP:
        return Pong()
    if kind == DISCONNECT:
        return mqtt_wire.disconnect(body)
    raise MalformedPacketError(f"a packet of type {first >> 4} was sent, which no server sends to a subscriber")
