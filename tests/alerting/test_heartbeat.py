"""Heartbeats arrive, and none late."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest
from raspi_kafka.alert import heartbeat
from raspi_kafka.alert.heartbeat import Beat, Heartbeat
from raspi_kafka.alert.topics import HEARTBEAT
from raspi_kafka.errors import UnreachableError
from raspi_kafka.mqtt_publisher import Connection

from tests.bridge.process import until

from .conftest import ALERTING, PANEL
from .subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator

    from raspi_kafka.mqtt_publisher import Publisher

    from tests.bridge.mosquitto import Mosquitto

SECONDS = 60
# At 20 a second, far more time than paho takes to connect again by itself; less would only find less.
BEATS_UNSEEN = 150


@pytest.fixture
def beating(connected: Publisher) -> Iterator[Heartbeat]:
    found = Heartbeat(connected, ALERTING, "pi1")
    found.start()
    yield found
    found.stop()


@pytest.mark.usefixtures("beating")
def test_they_arrive_in_order(mosquitto: Mosquitto) -> None:
    panel = Subscriber(mosquitto, PANEL, f"{HEARTBEAT}/#")
    until("three have come", lambda: len(panel.messages) >= 3)
    panel.close()
    beats = [Beat.from_json(message.payload) for message in panel.messages]
    assert {message.topic for message in panel.messages} == {"raspi-kafka-heartbeat/raspi-kafka-alerting/beat"}
    assert [beat.seq for beat in beats] == list(range(beats[0].seq, beats[0].seq + len(beats)))
    assert beats[0].sent_ms < beats[-1].sent_ms
    assert {beat.host for beat in beats} == {"pi1"}


@pytest.mark.usefixtures("beating")
def test_none_is_sent_late(mosquitto: Mosquitto, connected: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    """One is under way while Mosquitto does not answer, and then Mosquitto is killed."""
    monkeypatch.setattr(heartbeat, "HEARTBEAT_S", 0.05)
    panel = Subscriber(mosquitto, PANEL, f"{HEARTBEAT}/#")
    until("one has come", lambda: panel.messages)
    panel.close()
    back = threading.Event()
    begin = Connection.begin
    monkeypatch.setattr(Connection, "begin", lambda self: back.wait(SECONDS) and begin(self))
    mosquitto.signal(signal.SIGSTOP)
    last: set[int] = set()

    def stuck() -> bool:
        nonlocal last
        before, last = last, set(connected._connection._acks)
        return bool(last) and before == last

    until("one is under way", stuck, pause=0.5)
    mosquitto.kill()
    until("it is seen", lambda: not connected.connected)
    with pytest.raises(UnreachableError):
        connected.publish(f"{HEARTBEAT}/{ALERTING}/beat", b"late")
    killed_ms = time.time_ns() // 1_000_000
    mosquitto.start()
    panel = Subscriber(mosquitto, PANEL, f"{HEARTBEAT}/#")
    back.set()
    until("one that is sent again would have come", lambda: len(panel.messages) >= BEATS_UNSEEN)
    panel.close()
    assert min(Beat.from_json(message.payload).sent_ms for message in panel.messages) >= killed_ms


def test_a_server_that_does_not_acknowledge_is_given_up(
    mosquitto: Mosquitto, connected: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("raspi_kafka.mqtt_publisher.SECONDS_TO_ACK", 1.0)
    mosquitto.signal(signal.SIGSTOP)
    with pytest.raises(UnreachableError, match="has not acknowledged a message within 1 s"):
        connected.publish(f"{HEARTBEAT}/{ALERTING}/beat", b"{}")
    assert not connected.connected
    mosquitto.signal(signal.SIGCONT)
    until("it is connected again", lambda: connected.connected)
    connected.publish(f"{HEARTBEAT}/{ALERTING}/beat", b"{}")
