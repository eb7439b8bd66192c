"""The time, by SNTP (RFC 4330): how far the clock of the board is behind that of a server.

The clock itself is left alone, so that it never jumps while something is measured with it.
"""

import socket
import struct
import time

PORT = 123
SECONDS_TO_ANSWER = 1
SINCE_1900_S = 2208988800
REQUEST = b"\x1b" + bytes(47)  # version 3, a client


class Clock:
    """Unix time in nanoseconds, once a server was asked; None before."""

    def __init__(self) -> None:
        self._offset_ns = None

    def now_ns(self) -> "int | None":
        """Return nanoseconds since 1970."""
        return None if self._offset_ns is None else time.time_ns() + self._offset_ns

    def ask(self, host: str, port: int = PORT) -> None:
        """Ask a server.

        :raises OSError: it does not answer. ValueError: it does not know the time.
        """
        where = socket.getaddrinfo(host, port, 0, socket.SOCK_DGRAM)[0][-1]
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.settimeout(SECONDS_TO_ANSWER)
            began = time.time_ns()
            sock.sendto(REQUEST, where)
            answer = sock.recv(48)
            ended = time.time_ns()
        finally:
            sock.close()
        # At the server it was the time of the answer in the middle of the two.
        self._offset_ns = transmitted_ns(answer) - (began + ended) // 2


def transmitted_ns(answer: bytes) -> int:
    """Return when a server has answered, nanoseconds since 1970.

    :raises ValueError: it is no answer of a server that knows the time.
    """
    if len(answer) < 48 or answer[0] & 7 != 4 or answer[0] >> 6 == 3 or not 1 <= answer[1] <= 15:
        raise ValueError("no answer of a time server that knows the time")
    seconds, fraction = struct.unpack_from(">II", answer, 40)
    if seconds < 0x80000000:
        seconds += 1 << 32  # from 2036 on the count begins again
    return (seconds - SINCE_1900_S) * 1000000000 + (fraction * 1000000000 >> 32)
