"""A client that comes with the client id of the bridge."""

from __future__ import annotations

import socket

from .mosquitto import BRIDGE, PASSWORD
from .sender import prefixed


class Rival:
    """Takes the session over and goes away without a word."""

    def __init__(self, port: int) -> None:
        self._port = port

    def take_over(self) -> None:
        # MQTT 5, no clean start, a session that lasts an hour.
        body = prefixed(b"MQTT") + b"\x05\xc0\x00\x3c" + b"\x05\x11\x00\x00\x0e\x10"
        body += prefixed(BRIDGE.encode()) + prefixed(BRIDGE.encode()) + prefixed(PASSWORD.encode())
        with socket.create_connection(("127.0.0.1", self._port), 10) as connection:
            connection.sendall(bytes([0x10, len(body)]) + body)
            assert connection.recv(4)[3:] == b"\x00", "refused"
