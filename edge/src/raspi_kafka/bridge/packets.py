"""MQTT 5 on the wire: the packets of a client that subscribes, without any socket.

Only what the bridge needs is here: it never publishes, and it asks for QoS 1 at most, so that no QoS 2 packet exists.
Source: OASIS MQTT Version 5.0; section numbers are its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

CONNACK = 0x20
PUBLISH = 0x30
PUBACK_BYTES = b"\x40\x02"
SUBACK = 0x90
UNSUBACK = 0xB0
PINGRESP = 0xD0
DISCONNECT = 0xE0

PINGREQ_BYTES = b"\xc0\x00"
# Normal disconnection without properties: the session expiry of CONNECT goes on to hold (3.14.2.2.2).
DISCONNECT_BYTES = b"\xe0\x00"

SESSION_EXPIRY = 0x11
SERVER_KEEP_ALIVE = 0x13
REASON_STRING = 0x1F
RECEIVE_MAXIMUM = 0x21
MAXIMUM_QOS = 0x24
USER_PROPERTY = 0x26
MAXIMUM_PACKET_SIZE = 0x27

# 2.2.2.2: which properties are which type.
ONE_BYTE = frozenset({0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2A})
TWO_BYTES = frozenset({0x13, 0x21, 0x22, 0x23})
FOUR_BYTES = frozenset({0x02, 0x11, 0x18, 0x27})
VARIABLE = frozenset({0x0B})
LENGTH_PREFIXED = frozenset({0x03, 0x08, 0x09, 0x12, 0x15, 0x16, 0x1A, 0x1C, 0x1F})
FIXED_SIZES = {**dict.fromkeys(ONE_BYTE, 1), **dict.fromkeys(TWO_BYTES, 2), **dict.fromkeys(FOUR_BYTES, 4)}

# 3.3.1.3, 3.8.3.1: at most QoS 1; retained messages only if the subscription is new, not at every reconnect.
SUBSCRIBE_OPTIONS = {"at_least_once": 0x11, "at_most_once": 0x00}


class MalformedPacketError(Exception):
    """What came is not MQTT 5, or nothing that the bridge asked for."""


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


class Connack(NamedTuple):
    """The server's answer to CONNECT."""

    session_present: bool
    reason: int
    properties: Properties


class Answer(NamedTuple):
    """SUBACK or UNSUBACK: a reason code for each filter that was asked."""

    kind: int
    packet_id: int
    reasons: bytes


class Disconnect(NamedTuple):
    """The server ends the connection."""

    reason: int
    properties: Properties


class Pong(NamedTuple):
    """The answer to PINGREQ."""


Value = int | bytes | list[int] | list[tuple[bytes, bytes]]
Properties = dict[int, Value]
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
    head = text("MQTT") + bytes([5, flags]) + login.keep_alive_s.to_bytes(2, "big") + prefixed(properties)
    return packet(0x10, head + text(login.client_id) + text(login.username) + text(login.password))


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


def packet(first: int, body: bytes) -> bytes:
    """Return a packet: its first byte, its length, the rest."""
    return bytes([first]) + variable(len(body)) + body


def text(value: str) -> bytes:
    """Return a UTF-8 string with its length before it (1.5.4)."""
    data = value.encode()
    return len(data).to_bytes(2, "big") + data


def prefixed(data: bytes) -> bytes:
    """Return properties with their length before them."""
    return variable(len(data)) + data


def variable(number: int) -> bytes:
    """Return a Variable Byte Integer (1.5.5)."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


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
        # A server of an earlier MQTT answers in its own form, without properties (MQTT 3.1.1, 3.2).
        return Connack(bool(body[0] & 1), body[1], properties_at(body, 2, len(body))[0] if len(body) > 2 else {})
    if kind in (SUBACK, UNSUBACK):
        at = properties_at(body, 2, len(body))[1]
        return Answer(kind, body[0] << 8 | body[1], body[at:])
    if kind == PINGRESP:
        return Pong()
    if kind == DISCONNECT:
        properties = properties_at(body, 1, len(body))[0] if len(body) > 1 else {}
        return Disconnect(body[0] if body else 0, properties)
    raise MalformedPacketError(f"a packet of type {first >> 4} was sent, which no server sends to a subscriber")


def variable_at(data: bytes, at: int) -> tuple[int, int]:
    """Return a Variable Byte Integer and where it ends; 0 for the end if it is not whole yet.

    :raises MalformedPacketError: it has more than four bytes.
    """
    number = shift = 0
    for position in range(at, min(at + 4, len(data))):
        number |= (data[position] & 0x7F) << shift
        if data[position] < 0x80:
            return number, position + 1
        shift += 7
    if len(data) - at >= 4:
        raise MalformedPacketError("a length has more than four bytes")
    return 0, 0


def properties_at(data: bytes, at: int, end: int) -> tuple[Properties, int]:
    """Return the properties whose length stands at `at`, and where they end.

    :raises MalformedPacketError: a property is not one of MQTT 5, or they end elsewhere than they say.
    """
    length, at = variable_at(data, at)
    stop = at + length
    if not at or stop > end:
        raise MalformedPacketError("the properties are longer than their packet")
    properties: Properties = {}
    while at < stop:
        name = data[at]
        value, at = value_at(data, name, at + 1)
        if name in (USER_PROPERTY, *VARIABLE):
            properties.setdefault(name, []).append(value)  # type: ignore[union-attr, arg-type]
        else:
            properties[name] = value  # type: ignore[assignment]
    if at != stop:
        raise MalformedPacketError("a property reaches beyond the properties")
    return properties, stop


def value_at(data: bytes, name: int, at: int) -> tuple[int | bytes | tuple[bytes, bytes], int]:
    """Return the value of a property and where it ends."""
    size = FIXED_SIZES.get(name)
    if size:
        return int.from_bytes(data[at : at + size], "big"), at + size
    if name in LENGTH_PREFIXED:
        return prefixed_at(data, at)
    if name == USER_PROPERTY:
        key, at = prefixed_at(data, at)
        value, at = prefixed_at(data, at)
        return (key, value), at
    if name in VARIABLE:
        number, end = variable_at(data, at)
        if end:
            return number, end
    raise MalformedPacketError(f"0x{name:02x} is no property of MQTT 5")


def prefixed_at(data: bytes, at: int) -> tuple[bytes, int]:
    """Return the bytes whose length stands before them, and where they end."""
    end = at + 2 + (data[at] << 8 | data[at + 1])
    return data[at + 2 : end], end
