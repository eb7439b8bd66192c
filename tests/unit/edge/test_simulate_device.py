"""What a device makes of what MQTT servers say; the server here is a script on 127.0.0.1."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from raspi_kafka.simulate import device as module
from raspi_kafka.simulate import frames
from raspi_kafka.simulate.device import Device
from raspi_kafka.simulate.options import Credential
from raspi_kafka.simulate.telemetry import Telemetry
from raspi_kafka.simulate.values import Values, traits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

ACCEPTED = b"\x20\3\0\0\0"
DEADLINE_S = 30


class Server:
    """Notes what comes, and answers with what a test says.

    :ivar connections: the packets of each connection.
    :ivar answers: what is said to CONNECT, one connection after the other; the last one goes on to hold.
    """

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.connections: list[list[tuple[int, bytes]]] = []
        self.writer: asyncio.StreamWriter | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came: list[tuple[int, bytes]] = []
        self.connections.append(came)
        self.writer = writer
        rest = b""
        try:
            while data := await reader.read(10_000):
                packets, rest = frames.split(rest + data)
                came += packets
                if packets and packets[0][0] == 0x10:
                    writer.write(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])
        except ConnectionError:
            pass
        finally:
            writer.close()

    def say(self, data: bytes) -> None:
        assert self.writer
        self.writer.write(data)

    def of_kind(self, kind: int, connection: int = -1) -> list[tuple[int, bytes]]:
        found = self.connections[connection] if self.connections else []
        return [each for each in found if each[0] & 0xF0 == kind]


class Yard:
    """What the device shares with nobody here."""

    def __init__(self, port: int) -> None:
        self.address = ("127.0.0.1", port)
        self.gate = asyncio.Semaphore(1)
        self.faults: Counter[str] = Counter()
        self.ending = False

    def now_s(self) -> float:
        return time.monotonic()


async def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < end
        await asyncio.sleep(0.005)


def played(
    server: Server, scene: Callable[[Device, Yard], Awaitable[None]], monkeypatch: pytest.MonkeyPatch, qos: int = 1
) -> None:
    """Let a device live with a server as long as the scene lasts."""
    monkeypatch.setattr(module, "LONGEST_FIRST_PAUSE_S", 0.001)

    async def play() -> None:
        listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
        yard = Yard(listening.sockets[0].getsockname()[1])
        telemetry = Telemetry("sim", traits(0, "sim", 0.0), Values(0), 0.0)
        device = Device(Credential("sim", "secret"), qos, telemetry, yard)
        life = asyncio.ensure_future(device.live(0.0))
        try:
            await scene(device, yard)
        finally:
            yard.ending = True
            life.cancel()
            await asyncio.wait({life})
            device.drop("the scene is over")
            listening.close()

    asyncio.run(play())


def test_messages_that_are_made_before_the_connection_wait_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(ACCEPTED)

    async def scene(device: Device, yard: Yard) -> None:
        device.measure(yard.now_s(), 0.0)
        assert len(device.outbox.sent) == 0
        await until(lambda: server.of_kind(0x30))
        server.say(b"\x40\2\0\1")
        await until(lambda: device.outbox.is_empty)
        assert device.outbox.acked[0] >= device.outbox.sent[0] > 0

    played(server, scene, monkeypatch)
    assert server.connections[0][0] == (0x10, frames.connect("sim", "secret")[2:])


def test_a_refused_connection_is_counted_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(device: Device, yard: Yard) -> None:
        await until(lambda: device.accepted)
        assert (device.refused, device.connections, device.disconnects) == (2, 1, 0)
        assert yard.faults == {"a connection was refused: bad user name or password": 2}

    played(Server(b"\x20\3\0\x86\0", b"\x20\3\0\x86\0", ACCEPTED), scene, monkeypatch)


@pytest.mark.parametrize(("qos", "answer"), [(1, b"\x40\4\0\1\x97\0"), (1, b"\x40\3\0\1\x97"), (2, b"\x50\3\0\1\x97")])
def test_a_refused_message_is_counted_and_not_sent_again(
    qos: int, answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(ACCEPTED)

    async def scene(device: Device, yard: Yard) -> None:
        device.measure(yard.now_s(), 0.0)
        await until(lambda: server.of_kind(0x30))
        server.say(answer)
        await until(lambda: device.outbox.is_empty)
        assert (device.refused, device.outbox.acknowledged) == (1, 0)
        assert yard.faults == {"a message was refused: quota exceeded": 1}

    played(server, scene, monkeypatch, qos)


def test_a_reason_that_is_no_refusal_acknowledges(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(ACCEPTED)

    async def scene(device: Device, yard: Yard) -> None:
        device.measure(yard.now_s(), 0.0)
        await until(lambda: server.of_kind(0x30))
        server.say(b"\x40\3\0\1\x10")  # nobody has subscribed
        await until(lambda: device.outbox.is_empty)
        assert (device.refused, device.outbox.acknowledged) == (0, 1)

    played(server, scene, monkeypatch)


def test_the_receive_maximum_of_the_server_bounds_what_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(b"\x20\6\0\0\3\x21\0\2")

    async def scene(device: Device, yard: Yard) -> None:
        for _message in range(4):
            device.measure(yard.now_s(), 0.0)
        await until(lambda: len(server.of_kind(0x30)) == 2)
        server.say(b"\x40\2\0\1")
        await until(lambda: len(server.of_kind(0x30)) == 3)
        assert len(device.outbox.sent) == 3

    played(server, scene, monkeypatch)


def test_qos_2_is_acknowledged_by_pubcomp_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(ACCEPTED)

    async def scene(device: Device, yard: Yard) -> None:
        device.measure(yard.now_s(), 0.0)
        await until(lambda: server.of_kind(0x30))
        server.say(b"\x50\2\0\1" + b"\x50\2\0\7")
        await until(lambda: server.of_kind(0x60))
        assert device.outbox.acknowledged == 0
        server.say(b"\x70\2\0\1")
        await until(lambda: device.outbox.is_empty)
        assert device.outbox.acknowledged == 1
        assert server.of_kind(0x60) == [(0x62, b"\0\1")], "there is no message 7"

    played(server, scene, monkeypatch, qos=2)


def test_a_lost_connection_is_counted_and_the_message_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(ACCEPTED)

    async def scene(device: Device, yard: Yard) -> None:
        device.measure(yard.now_s(), 0.0)
        await until(lambda: server.of_kind(0x30))
        assert server.writer
        server.say(b"\xe0\1\x8b")
        await until(lambda: len(server.connections) == 2 and server.of_kind(0x30))
        assert (device.disconnects, device.connections, device.outbox.resent) == (1, 2, 1)
        assert [first for first, _body in server.of_kind(0x30)] == [0x3A]
        assert yard.faults == {"the MQTT server ended the connection: server shutting down": 1}

    played(server, scene, monkeypatch)


def test_after_a_disconnect_nothing_more_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(ACCEPTED)

    async def scene(device: Device, yard: Yard) -> None:
        await until(lambda: device.accepted)
        device.disconnect()
        device.measure(yard.now_s(), 0.0)
        await until(lambda: server.of_kind(0xE0))
        assert server.writer
        server.writer.close()
        await until(lambda: len(server.connections) == 2 and server.of_kind(0x30))
        assert not server.of_kind(0x30, connection=0)

    played(server, scene, monkeypatch)


def test_a_server_that_is_silent_is_pinged_and_then_left(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(ACCEPTED)

    async def scene(device: Device, yard: Yard) -> None:
        await until(lambda: device.accepted)
        device.look()  # CONNACK was heard
        device.look()
        await until(lambda: server.of_kind(0xC0))
        server.say(b"\xd0\0")
        await until(lambda: device._heard)
        device.look()
        assert device.disconnects == 0
        device.look()
        device.look()
        await until(lambda: device.connections == 2)
        assert device.disconnects == 1
        assert yard.faults == {"the MQTT server was silent": 1}

    played(server, scene, monkeypatch)


@pytest.mark.parametrize("said", [b"\x30\2\0\0", b"\x40\1\0", b"\x20\3\0\0\0", b"\x40\xff\xff\xff\xff\1"])
def test_a_server_that_does_not_speak_mqtt_5_is_left(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(ACCEPTED + said, ACCEPTED)

    async def scene(device: Device, yard: Yard) -> None:
        await until(lambda: yard.faults and device.accepted)
        (why,) = yard.faults
        assert why.startswith("the MQTT server does not speak MQTT 5: ")

    played(server, scene, monkeypatch)
