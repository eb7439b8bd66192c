"""One MQTT 5 client whose every message a test chooses, by frames of its own: the bridge's codec has no part in it."""

from __future__ import annotations

import socket

from .mosquitto import PASSWORD
from .sender import prefixed

SECONDS_TO_ANSWER = 30


class Client:
    """Is connected from the start; its session lasts an hour beyond it, as the bridge's would.

    :param name: user name and client id.
    """

    def __init__(self, port: int, name: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), SECONDS_TO_ANSWER)
        self._last_id = 0
        head = prefixed(b"MQTT") + b"\x05\xc0\x00\x3c" + b"\x05\x11\x00\x00\x0e\x10"
        self._send(0x10, head + prefixed(name.encode()) + prefixed(name.encode()) + prefixed(PASSWORD.encode()))
        assert self._receive(0x20)[1] == 0, f"{name} was refused"

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.drop()

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False, **properties: str) -> int:
        """Send a message with user properties; return the reason code of its PUBACK, 0 with QoS 0."""
        self._last_id += 1
        packet_id = self._last_id.to_bytes(2, "big") if qos else b""
        pairs = b"".join(b"\x26" + prefixed(k.encode()) + prefixed(v.encode()) for k, v in properties.items())
        body = prefixed(topic.encode()) + packet_id + variable(len(pairs)) + pairs + payload
        self._send(0x30 | qos << 1 | retain, body)
        if not qos:
            return 0
        answer = self._receive(0x40)
        assert answer[:2] == packet_id
        return answer[2] if len(answer) > 2 else 0

    def drop(self) -> None:
        """Go away without a word."""
        self._socket.close()

    def _send(self, first: int, body: bytes) -> None:
        self._socket.sendall(bytes([first]) + variable(len(body)) + body)

    def _receive(self, kind: int) -> bytes:
        first, length = self._read(2)
        assert first & 0xF0 == kind, f"0x{first:02x} came, not 0x{kind:02x}"
        assert length < 0x80
        return self._read(length)

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self._socket.recv(size - len(data))
            assert more, "Mosquitto closed the connection"
            data += more
        return data


def variable(number: int) -> bytes:
    """Return a Variable Byte Integer."""
    data = b""
    while number > 0x7F:
        data += bytes([number & 0x7F | 0x80])
        number >>= 7
    return data + bytes([number])
