"""The packets of a client that publishes."""

from __future__ import annotations

from ..mqtt_wire import connect as connect_packet
from ..mqtt_wire import packet, text, variable, variable_at

KEEP_ALIVE_S = 60
CLEAN_START, PASSWORD, USERNAME = 0x02, 0x40, 0x80  # 3.1.2.3
DUP = 0x08
PACKET_IDS = 0xFFFF
# Nearly all lengths that come up; to encode one anew costs as much as the rest of a frame.
LENGTHS = [variable(number) for number in range(1024)]


def connect(device: str, password: str) -> bytes:
    """Return CONNECT with a clean start: what was not acknowledged the device itself remembers."""
    return connect_packet(CLEAN_START | PASSWORD | USERNAME, KEEP_ALIVE_S, b"", (device, device, password))


class Publisher:
    """Makes PUBLISH packets of one topic without properties (3.3)."""

    __slots__ = ("_first", "_qos", "_topic")

    def __init__(self, topic: str, qos: int) -> None:
        self._topic = text(topic)
        self._qos = qos
        self._first = bytes([0x30 | qos << 1])

    def publish(self, packet_id: int, payload: bytes) -> bytes:
        """Return PUBLISH; with QoS 0 it has no packet id."""
        number = packet_id.to_bytes(2, "big") if self._qos else b""
        size = len(self._topic) + len(number) + 1 + len(payload)
        length = LENGTHS[size] if size < len(LENGTHS) else variable(size)
        return b"%b%b%b%b\0%b" % (self._first, length, self._topic, number, payload)


def again(publish: bytes) -> bytes:
    """Return a PUBLISH that says that it was sent before (3.3.1.1)."""
    return bytes([publish[0] | DUP]) + publish[1:]


def pubrel(packet_id: int) -> bytes:
    """Return PUBREL, success (3.6)."""
    return packet(0x62, packet_id.to_bytes(2, "big"))


def split(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Return whole packets, each as its first byte and what is behind its length, and the rest of the bytes.

    :raises MalformedPacketError: a length has more than four bytes.
    """
    found: list[tuple[int, bytes]] = []
    at = 0
    while len(data) - at > 1:
        length, start = variable_at(data, at + 1)
        if not start or start + length > len(data):
            break
        found.append((data[at], data[start : start + length]))
        at = start + length
    return found, data[at:]
