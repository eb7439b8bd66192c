"""MQTT 5 on the wire: what every client needs, without any socket.

Source: OASIS MQTT Version 5.0; section numbers are its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

CONNACK = 0x20
PUBLISH = 0x30
PUBACK = 0x40
PUBREC = 0x50
PUBCOMP = 0x70
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

# 2.4: a code from here on refuses.
REFUSED = 0x80
REASONS = {
    0x80: "unspecified error",
    0x81: "malformed packet",
    0x82: "protocol error",
    0x83: "implementation specific error",
    0x84: "it speaks no MQTT 5",
    0x85: "client identifier not valid",
    0x86: "bad user name or password",
    0x87: "not authorized",
    0x88: "server unavailable",
    0x89: "server busy",
    0x8A: "banned",
    0x8B: "server shutting down",
    0x8D: "keep-alive time-out",
    0x8E: "session taken over",
    0x93: "receive maximum exceeded",
    0x95: "packet too large",
    0x97: "quota exceeded",
    0x98: "administrative action",
    0x9A: "retain not supported",
    0x9B: "QoS not supported",
    0x9E: "shared subscriptions not supported",
    0x9F: "connection rate exceeded",
    0xA1: "subscription identifiers not supported",
    0xA2: "wildcard subscriptions not supported",
}


class MalformedPacketError(Exception):
    """What came is not MQTT 5, or nothing that the client asked for."""


class Connack(NamedTuple):
    """The server's answer to CONNECT."""

    session_present: bool
    reason: int
    properties: Properties


class Disconnect(NamedTuple):
    """The server ends the connection."""

    reason: int
    properties: Properties


Value = int | bytes | list[int] | list[tuple[bytes, bytes]]
Properties = dict[int, Value]


# --- out


def connect(flags: int, keep_alive_s: int, properties: bytes, fields: Iterable[str]) -> bytes:
    """Return CONNECT.

    :param flags: as in 3.1.2.3.
    :param fields: the client id, and what `flags` says is there beside it (3.1.3).
    """
    head = text("MQTT") + bytes([5, flags]) + keep_alive_s.to_bytes(2, "big") + prefixed(properties)
    return packet(0x10, head + b"".join(text(field) for field in fields))


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


def connack(body: bytes) -> Connack:
    """Return CONNACK without its fixed header."""
    # A server of an earlier MQTT answers in its own form, without properties (MQTT 3.1.1, 3.2).
    return Connack(bool(body[0] & 1), body[1], properties_at(body, 2, len(body))[0] if len(body) > 2 else {})


def disconnect(body: bytes) -> Disconnect:
    """Return DISCONNECT without its fixed header."""
    properties = properties_at(body, 1, len(body))[0] if len(body) > 1 else {}
    return Disconnect(body[0] if body else 0, properties)


def reason(code: int) -> str:
    """Return what a reason code means."""
    return REASONS.get(code, f"reason 0x{code:02x}")


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
