"""MQTT 3.1.1 as far as a device needs it: QoS 1 in both directions, a session that lasts, and a last will.

umqtt.simple of micropython-lib is not on a board by default, stands still until each message is acknowledged, and gives
a message that it sends again another packet id. Here several messages are under way, and whoever publishes chooses ids.
"""

import select
import socket
import struct
import time

CONNACK, PUBLISH, PUBACK, SUBACK, PINGRESP = 0x20, 0x30, 0x40, 0x90, 0xD0
PINGREQ, DISCONNECT = b"\xc0\x00", b"\xe0\x00"
REFUSALS = {1: "the version", 2: "the client id", 3: "for now", 4: "user or password", 5: "this user"}
SECONDS_TO_ANSWER = 10
# A longer packet is cut, and so is no command: a board has little memory, and keeps its last answers.
MOST_BYTES = 512


class MQTTError(OSError):
    """A sentence about why a connection cannot go on."""


def text(value: "str | bytes") -> bytes:
    """Return a text with its length before it."""
    data = value.encode() if isinstance(value, str) else value
    return struct.pack(">H", len(data)) + data


def frame(first: int, body: bytes) -> bytes:
    """Return a packet: its first byte, the length of the rest in groups of seven bits, and the rest."""
    head, left = bytearray((first,)), len(body)
    while True:
        head.append(left & 0x7F | (0x80 if left > 0x7F else 0))
        left >>= 7
        if not left:
            return bytes(head) + body


def connect_packet(name: str, password: str, keep_alive_s: int, will: "tuple[str, str]") -> bytes:
    """Return CONNECT of a session that lasts, with a last will (topic and payload) of QoS 1.

    :param name: user, and client id.
    """
    head = text("MQTT") + b"\x04\xcc" + struct.pack(">H", keep_alive_s)
    return frame(0x10, head + text(name) + text(will[0]) + text(will[1]) + text(name) + text(password))


def publish_packet(topic: str, payload: str, packet_id: int, again: bool = False) -> bytes:
    """Return PUBLISH of QoS 1.

    :param again: it may have been sent before.
    """
    body = text(topic) + struct.pack(">H", packet_id) + payload.encode()
    return frame(0x3A if again else 0x32, body)


def puback_packet(packet_id: int) -> bytes:
    """Return PUBACK."""
    return struct.pack(">BBH", PUBACK, 2, packet_id)


def subscribe_packet(topic: str, packet_id: int) -> bytes:
    """Return SUBSCRIBE of one topic with QoS 1."""
    return frame(0x82, struct.pack(">H", packet_id) + text(topic) + b"\x01")


def published(first: int, body: bytes) -> "tuple[str, int, bytes]":
    """Return topic, packet id (0: none) and payload of a PUBLISH.

    :raises ValueError: it is none.
    """
    size = struct.unpack_from(">H", body)[0] if len(body) >= 2 else len(body)
    at = 2 + size
    if len(body) < at + (2 if first & 0x06 else 0):
        raise ValueError("a PUBLISH is cut")
    topic = body[2:at].decode()
    if not first & 0x06:
        return topic, 0, body[at:]
    return topic, struct.unpack_from(">H", body, at)[0], body[at + 2 :]


def open_socket(address: str, port: int, ca: str) -> "socket.socket":
    """Return a connection, the one place where TLS comes in.

    :param ca: file with the certificate (DER or PEM) that signs those of the gateways; "": without TLS.
    :raises OSError: there is none.
    """
    where = socket.getaddrinfo(address, port, 0, socket.SOCK_STREAM)[0][-1]
    sock = socket.socket()
    try:
        sock.settimeout(SECONDS_TO_ANSWER)
        sock.connect(where)
        if ca:
            import tls  # noqa: PLC0415 - it takes memory that a board without TLS has better uses for

            context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
            context.verify_mode = tls.CERT_REQUIRED
            with open(ca, "rb") as file:
                context.load_verify_locations(file.read())
            sock = context.wrap_socket(sock, server_hostname=address)
    except Exception:
        sock.close()
        raise
    return sock


class Client:
    """One connection; when a method raises OSError, it is over, and `close` takes its rest away."""

    def __init__(self, sock: "socket.socket", keep_alive_s: int) -> None:
        self._socket = sock
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self._keep_alive_ms = keep_alive_s * 1000
        self._sent_ms = self._heard_ms = time.ticks_ms()

    def connect(self, packet: bytes) -> None:
        """Send CONNECT and wait for the answer.

        :raises OSError: the broker refuses, or does not answer.
        """
        self._write(packet)
        got = self.receive(SECONDS_TO_ANSWER * 1000)
        if not got or got[0] & 0xF0 != CONNACK or len(got[1]) != 2:
            raise MQTTError("the broker does not answer")
        if got[1][1]:
            raise MQTTError("the broker refuses {}".format(REFUSALS.get(got[1][1], "the connection")))

    def send(self, packet: bytes) -> None:
        """Send a packet."""
        self._write(packet)

    def receive(self, timeout_ms: int) -> "tuple[int, bytes, bool] | None":
        """Return first byte and body of the next packet, and whether it is whole; None if none comes in time."""
        if not self._poll.poll(timeout_ms):
            return None
        first, size, shift = self._read(1)[0], 0, 0
        while True:
            byte = self._read(1)[0]
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
            if shift > 21:
                raise MQTTError("the broker sends what is no MQTT")
        body = self._read(min(size, MOST_BYTES))
        more = size - len(body)
        while more:
            more -= len(self._read(min(more, 256)))
        self._heard_ms = time.ticks_ms()
        return first, body, len(body) == size

    def tend(self) -> None:
        """Say a word before the broker takes the silence for the end.

        :raises OSError: the broker itself has been silent for too long.
        """
        now = time.ticks_ms()
        if time.ticks_diff(now, self._heard_ms) > self._keep_alive_ms * 3 // 2:
            raise MQTTError("the broker is silent")
        # PINGREQ also goes out beside messages: its answer shows that the broker is there.
        if max(time.ticks_diff(now, self._sent_ms), time.ticks_diff(now, self._heard_ms)) > self._keep_alive_ms // 2:
            self._write(PINGREQ)
            self._sent_ms = now

    def close(self) -> None:
        """Let go of the socket."""
        try:
            self._socket.close()
        except OSError:
            pass  # it is gone already

    def _write(self, data: bytes) -> None:
        if self._socket.write(data) != len(data):
            raise MQTTError("the connection takes no more")
        self._sent_ms = time.ticks_ms()

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self._socket.read(size - len(data))
            if not more:
                raise MQTTError("the broker has closed the connection")
            data += more
        return data
