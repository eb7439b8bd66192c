"""What the bridge says to MQTT servers, and makes of what they say; the server here is a script on 127.0.0.1."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any

import pytest
from raspi_kafka.bridge import packets, subscriber
from raspi_kafka.bridge.config import Mqtt
from raspi_kafka.bridge.counters import Counters
from raspi_kafka.bridge.packets import Publish
from raspi_kafka.bridge.session import Known, SessionFile
from raspi_kafka.bridge.subscriber import Subscriber
from raspi_kafka.mqtt_wire import Connack

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from raspi_kafka.bridge.connection import Connection

FILTERS = ("devices/+/#", "tele/+/#")
ACCEPTED = b"\x20\3\0\0\0"
RESUMED = b"\x20\3\1\0\0"
SUBSCRIBED = b"\x90\5\0\1\0\1\1"
SUBSCRIBED_ALL = Known("me", frozenset(FILTERS), frozenset(FILTERS))
DISCONNECT = 0xE0
# PUBLISH with QoS 0, topic t, payload x.
MESSAGE = b"\x30\5\0\1t\0x"
DEADLINE_S = 30


class Owner:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.said: list[Any] = []
        self.connection: Connection | None = None
        self.news = asyncio.Event()

    def note(self, what: Any) -> None:
        self.said.append(what)
        self.news.set()

    def connack(self, connection: Connection, connack: Connack) -> None:
        self.connection = connection
        self.note(connack)

    def publishes(self, publishes: list[Publish]) -> None:
        self.note([each.payload for each in publishes])

    def ready(self) -> None:
        self.note("ready")

    def resumed(self) -> None:
        self.note("resumed")

    def lost(self, why: str) -> None:
        self.note(why)

    async def told(self, holds: Callable[[list[Any]], bool]) -> None:
        async def wait() -> None:
            while not holds(self.said):
                self.news.clear()
                await self.news.wait()

        await asyncio.wait_for(wait(), DEADLINE_S)


class Server:
    """One connection after another, each served by a script; what it gets is kept."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = answers
        self.got: list[bytes] = []
        self.connections = 0
        self.writer: asyncio.StreamWriter | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer CONNECT, the first SUBSCRIBE and so on by the answers in turn; b"" closes."""
        self.connections += 1
        self.writer = writer
        answers = iter(self.answers)
        try:
            while True:
                first, length = await reader.readexactly(2)
                assert length < 0x80
                self.got.append(bytes([first, length]) + await reader.readexactly(length))
                answer = next(answers, None)
                if answer == b"" or first == DISCONNECT:
                    break
                writer.write(answer or b"")
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    def of_kind(self, first: int) -> list[bytes]:
        return [each for each in self.got if each[0] == first]


class Scene:
    """A subscriber with a server of a script."""

    def __init__(self, *answers: bytes, known: Known | None = None) -> None:
        self.server, self.owner, self.counters = Server(*answers), Owner(), Counters()
        self.session = SessionFile(None)
        if known:
            self.session.write(known)

    async def play(self, test: Awaitable[None]) -> None:
        listening = await asyncio.start_server(self.server.serve, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        mqtt = Mqtt("127.0.0.1", port, "me", "secret", "me", 3600)
        task = asyncio.ensure_future(Subscriber(mqtt, FILTERS, self.session, self.counters, self.owner).run())
        try:
            await test
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            listening.close()


def messages(said: list[Any]) -> list[list[bytes]]:
    """What came, look by look."""
    return [each for each in said if isinstance(each, list)]


def play(*answers: bytes, until: Callable[[list[Any]], bool], known: Known | None = None) -> Scene:
    """Run a script until the owner has been told what `until` looks for."""

    async def run() -> Scene:
        scene = Scene(*answers, known=known)
        await scene.play(scene.owner.told(until))
        return scene

    return asyncio.run(run())


def says(text: str) -> Callable[[list[Any]], bool]:
    return lambda said: any(isinstance(each, str) and text in each for each in said)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriber, "LONGEST_PAUSE_S", 0.1)


def test_a_new_session_is_subscribed_and_known_from_then_on() -> None:
    scene = play(ACCEPTED, SUBSCRIBED, until=lambda said: "resumed" in said)
    connect, subscribe = scene.server.got[:2]
    assert connect == packets.connect(packets.Login("me", "me", "secret", 30, 3600, subscriber.RECEIVE_MAXIMUM))
    assert subscribe == packets.subscribe(1, FILTERS)
    assert scene.owner.said == [Connack(False, 0, {}), "ready", "resumed"]
    assert scene.session.read() == SUBSCRIBED_ALL
    assert scene.counters.session_lost == 0


def test_it_ends_with_a_disconnect_that_keeps_the_session() -> None:
    scene = play(ACCEPTED, SUBSCRIBED, until=lambda said: "resumed" in said)
    assert scene.server.got[-1] == b"\xe0\0"


def test_a_server_that_does_not_answer_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriber, "SECONDS_TO_CONNECT", 0.05)
    scene = play(until=lambda said: len(said) > 1)
    assert scene.owner.said[:2] == ["no answer to CONNECT within 0 s"] * 2


def test_a_session_that_is_gone_is_counted_and_told(caplog: pytest.LogCaptureFixture) -> None:
    known = Known("me", frozenset(FILTERS))
    scene = play(ACCEPTED, SUBSCRIBED, known=known, until=lambda said: "resumed" in said)
    assert scene.counters.session_lost == 1
    assert "has lost the session of me" in caplog.text


def test_another_client_id_has_another_session() -> None:
    known = Known("another", frozenset(FILTERS))
    assert play(ACCEPTED, SUBSCRIBED, known=known, until=lambda said: "resumed" in said).counters.session_lost == 0


def test_a_session_that_is_there_is_ready_before_the_subscription_is_confirmed() -> None:
    """The answer stands behind what is queued, which is not read while Kafka is away; systemd would not wait."""
    scene = play(RESUMED, known=SUBSCRIBED_ALL, until=lambda said: "ready" in said)
    assert "resumed" not in scene.owner.said


def test_a_filter_that_was_asked_for_and_never_granted_is_not_taken_for_subscribed() -> None:
    """The bridge may have ended in between; devices may publish what is subscribed, as the role reads it here."""
    known = Known("me", frozenset(FILTERS), frozenset(FILTERS[:1]))
    scene = play(RESUMED, b"", known=known, until=says("closed"))
    assert "ready" not in scene.owner.said
    assert scene.session.read() == known


def test_a_session_that_is_gone_has_no_filter_before_it_is_granted_anew() -> None:
    scene = play(ACCEPTED, b"", known=SUBSCRIBED_ALL, until=says("closed"))
    assert scene.session.read() == Known("me", frozenset(FILTERS))


def test_a_session_without_a_filter_is_not_ready_before_it_has_it() -> None:
    known = Known("me", frozenset(FILTERS[:1]))
    scene = play(RESUMED, b"", known=known, until=says("closed"))
    assert "ready" not in scene.owner.said
    assert scene.session.read() == Known("me", frozenset(FILTERS))


def test_a_filter_that_is_no_more_wanted_is_unsubscribed_and_forgotten() -> None:
    known = Known("me", frozenset({*FILTERS, "old/+"}))

    async def run() -> Scene:
        scene = Scene(RESUMED, SUBSCRIBED, b"\xb0\4\0\2\0\0", known=known)

        async def test() -> None:
            while scene.session.read() != SUBSCRIBED_ALL:
                await asyncio.sleep(0.01)

        await scene.play(asyncio.wait_for(test(), DEADLINE_S))
        return scene

    assert asyncio.run(run()).server.of_kind(0xA2) == [packets.unsubscribe(2, ["old/+"])]


def test_messages_right_behind_connack_come_after_it_and_before_anything_else() -> None:
    message = b"\x32\x06\0\1t\0\7\0"
    scene = play(RESUMED + message, SUBSCRIBED, until=lambda said: "resumed" in said)
    assert scene.owner.said[:2] == [Connack(True, 0, {}), [b""]]


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ([b"\x20\3\0\x86\0"], "wrong password, unknown user, or not authorized; give the server"),
        ([b"\x20\3\0\x87\0"], "and let it have client id me"),
        ([b"\x20\3\0\x89\0"], "server busy"),
        ([b"\x20\2\0\1"], "speaks no MQTT 5"),
        ([b"\x20\2\0\5"], "wrong password"),
        ([b"\x20\5\0\0\2\x24\0", SUBSCRIBED], "offers QoS 0 alone"),
        ([ACCEPTED, b"\x90\5\0\1\0\1\x87"], "refuses the subscription to tele/+/#: not authorized; let user me read"),
        ([ACCEPTED, b"\x90\5\0\1\0\1\0"], "grants tele/+/# with QoS 0 alone"),
        ([ACCEPTED + b"\xe0\1\x8e"], "another client with the same client id took the session over"),
        ([ACCEPTED + b"\xe0\1\x8b"], "server shutting down"),
        ([ACCEPTED + b"\xe0\7\x97\5\x1f\0\2no"], "quota exceeded (no)"),
        ([b"HTTP/1.1 400 Bad Request\r\n" + b"x" * 100], "does not speak MQTT 5"),
        ([b""], "closed the connection"),
    ],
)
def test_why_it_is_not_connected_is_told_and_it_tries_again(answers: list[bytes], why: str) -> None:
    def twice(said: list[Any]) -> bool:
        return sum(isinstance(each, str) and why in each for each in said) > 1

    scene = play(*answers, until=lambda said: twice(said) or "resumed" in said)
    assert twice(scene.owner.said)
    assert scene.server.connections > 1
    assert scene.counters.reconnects > 0


def test_a_server_that_keeps_sessions_for_less_is_told(caplog: pytest.LogCaptureFixture) -> None:
    play(b"\x20\x08\0\0\5\x11\0\0\0\x3c", SUBSCRIBED, until=lambda said: "resumed" in said)
    assert "keeps the session 60 s" in caplog.text


def test_nobody_listens() -> None:
    async def run() -> list[Any]:
        scene = Scene()
        listening = await asyncio.start_server(scene.server.serve, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        listening.close()
        await listening.wait_closed()
        mqtt = Mqtt("127.0.0.1", port, "me", "secret", "me", 3600)
        task = asyncio.ensure_future(Subscriber(mqtt, FILTERS, scene.session, scene.counters, scene.owner).run())
        await scene.owner.told(says(f"no MQTT server at 127.0.0.1:{port}"))
        task.cancel()
        return scene.owner.said

    assert asyncio.run(run())


# --- keep-alive


def test_it_pings_while_it_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriber, "KEEP_ALIVE_S", 0.05)

    async def run() -> Scene:
        scene = Scene(ACCEPTED, SUBSCRIBED)

        async def test() -> None:
            await scene.owner.told(lambda said: "resumed" in said)
            assert scene.owner.connection
            scene.owner.connection.pause()
            while len(scene.server.of_kind(0xC0)) < 4:
                await asyncio.sleep(0.01)

        await scene.play(asyncio.wait_for(test(), DEADLINE_S))
        return scene

    monkeypatch.setattr(packets, "connect", lambda _login: b"\x10\0")  # a keep-alive of less than a second has no form
    assert asyncio.run(run()).server.connections == 1


def test_messages_gather_while_it_rests() -> None:
    """They are taken at once, and those of a connection that was paused meanwhile only when it is resumed."""

    async def run() -> list[Any]:
        scene = Scene(ACCEPTED, SUBSCRIBED)
        taken: list[Any] = []

        async def test() -> None:
            await scene.owner.told(lambda said: "resumed" in said)
            connection, server = scene.owner.connection, scene.server.writer
            assert connection
            assert server
            connection.rest(60)
            server.write(MESSAGE)
            await server.drain()
            await asyncio.sleep(0.05)
            server.write(MESSAGE)
            await server.drain()
            taken.append(messages(scene.owner.said))
            connection.pause()
            connection._rested()
            taken.append(messages(scene.owner.said))
            connection.resume()
            await scene.owner.told(lambda said: messages(said) != [])
            taken.append(messages(scene.owner.said))

        await scene.play(asyncio.wait_for(test(), DEADLINE_S))
        return taken

    assert asyncio.run(run()) == [[], [], [[b"x", b"x"]]]


def test_a_server_that_is_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriber, "KEEP_ALIVE_S", 0.05)
    monkeypatch.setattr(packets, "connect", lambda _login: b"\x10\0")
    play(ACCEPTED, SUBSCRIBED, until=says("was silent"))


def test_its_own_log_names_no_password(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    scene = play(b"\x20\3\0\x86\0", until=says("wrong password"))
    assert "secret" not in caplog.text + str(scene.owner.said)
