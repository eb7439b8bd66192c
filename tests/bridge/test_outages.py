"""Kafka, Mosquitto or the connection between them and the bridge goes away and comes back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .client import Client
from .kafka import TELEMETRY
from .mosquitto import BRIDGE
from .process import until

if TYPE_CHECKING:
    from .conftest import Line

RATE = 500
SECONDS_WITHOUT_KAFKA = 60
QUEUED = 200_000


def test_kafka_is_away_for_a_minute(line: Line) -> None:
    bridge = line.bridge()
    bridge.start()
    sender = line.sender(RATE, 10**9)
    until("messages flow", lambda: bridge.metrics()["acked_total"] > RATE)
    line.kafka.kill()
    time.sleep(SECONDS_WITHOUT_KAFKA)  # the outage itself
    assert bridge.running, bridge.tail()
    assert any(note.startswith("STATUS=Kafka is out of reach") for note in bridge.notes())
    line.kafka.start()
    assert sender.stop() == 0
    bridge.quiet()
    assert bridge.metrics()["reconnects_total"] == 0, "the MQTT connection was kept alive"
    found = line.account()
    assert found.acknowledged > RATE * SECONDS_WITHOUT_KAFKA
    assert (found.lost, found.duplicated, found.disordered) == (0, 0, 0)


def test_mosquitto_is_restarted(line: Line) -> None:
    bridge = line.bridge()
    bridge.start()
    sender = line.sender(RATE, 10**9)
    for _restart in range(3):
        acked = bridge.metrics()["acked_total"]
        until("messages flow", lambda least=acked: bridge.metrics()["acked_total"] > least + RATE)
        assert line.mosquitto.stop() == 0
        line.mosquitto.start()
    assert sender.stop() == 0
    bridge.quiet()
    assert bridge.metrics()["session_lost_total"] == 0
    found = line.account()
    assert (found.lost, found.disordered) == (0, 0)


def test_mosquitto_is_killed(line: Line) -> None:
    """Its session is as old as its last autosave: what is lost is told, and messages flow again."""
    bridge = line.bridge()
    bridge.start()
    sender = line.sender(RATE, 10**9)
    for _kill in range(3):
        acked = bridge.metrics()["acked_total"]
        until("messages flow", lambda least=acked: bridge.metrics()["acked_total"] > least + 3 * RATE)
        line.mosquitto.kill()
        line.mosquitto.start()
    assert sender.stop() == 0
    bridge.quiet()
    found = line.account()
    # Mosquitto has acknowledged them to devices and had them in memory alone.
    assert found.lost <= 3 * RATE
    assert found.stored + found.lost >= found.acknowledged
    assert found.disordered == 0


def test_the_connection_is_taken_over(line: Line) -> None:
    """What is under way then is sent again by Mosquitto, and not stored twice."""
    bridge = line.bridge(linger_ms=300)
    bridge.start()
    sender = line.sender(RATE, 10**9)
    for takeover in range(1, 6):
        acked = bridge.metrics()["acked_total"]
        until("messages flow", lambda least=acked: bridge.metrics()["acked_total"] > least + RATE)
        Client(line.mosquitto.port, BRIDGE).drop()
        until("the bridge is back", lambda least=takeover: bridge.metrics()["reconnects_total"] >= least)
    assert sender.stop() == 0
    bridge.quiet()
    assert "another client" in bridge.tail()
    assert bridge.metrics()["duplicates_suppressed_total"] > 0
    found = line.account()
    assert (found.lost, found.duplicated, found.disordered) == (0, 0, 0)


def test_a_topic_that_is_deleted_and_made_again_gets_messages_again(line: Line) -> None:
    bridge = line.bridge()
    bridge.start()
    sender = line.sender(RATE, 10**9)
    until("messages flow", lambda: bridge.metrics()["acked_total"] > RATE)
    line.kafka.delete(TELEMETRY)
    until("the bridge holds", lambda: bridge.metrics()["held"] == 1, timeout=120)
    told = f"STATUS=Kafka refuses topic {TELEMETRY}"
    until("the status says so", lambda: any(note.startswith(told) for note in bridge.notes()))
    line.kafka.create(TELEMETRY)
    assert sender.stop() == 0
    bridge.quiet()
    assert bridge.metrics()["held"] == 0
    found = line.account()
    # What the topic had before is gone with it.
    assert found.stored > RATE
    assert (found.duplicated, found.disordered) == (0, 0)
    assert bridge.metrics()["acked_total"] == bridge.metrics()["received_total"]


def test_a_long_queue_is_drained(line: Line) -> None:
    bridge = line.bridge()
    bridge.start()
    assert bridge.stop() == 0
    assert line.sender(20_000, QUEUED).ended(180) == 0
    bridge.start()
    until("the queue is drained", lambda: bridge.metrics()["acked_total"] >= QUEUED, timeout=180)
    bridge.quiet()
    found = line.account()
    assert found.stored == QUEUED
    assert (found.lost, found.duplicated, found.disordered) == (0, 0, 0)
