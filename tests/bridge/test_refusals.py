"""Kafka refuses records while others flow."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from raspi_kafka.bridge import config, producer
from raspi_kafka.bridge.counters import Counters
from raspi_kafka.bridge.delivery import Delivery
from raspi_kafka.bridge.packets import Publish
from raspi_kafka.bridge.record import Record
from raspi_kafka.bridge.routes import Route

from .client import Client
from .conftest import DEVICES
from .kafka import DEAD_LETTERS, TELEMETRY
from .process import until
from .sender import names

if TYPE_CHECKING:
    from .conftest import Line
    from .kafka import Kafka

RATE = 500
BURST = 900
# Far above what a request takes; less would only find less.
SECONDS_UNSEEN = 3
TOO_LARGE = 'dead_lettered_total{error="MSG_SIZE_TOO_LARGE"}'
OTHER = names(DEVICES + 1)[-1]


def test_a_topic_that_may_not_be_written_is_held_and_goes_on_in_order(line: Line) -> None:
    bridge = line.bridge()
    bridge.start()
    sender = line.sender(RATE, 10**9)
    for _time in range(3):
        acked = bridge.metrics()["acked_total"]
        until("messages flow", lambda least=acked: bridge.metrics()["acked_total"] > least + RATE)
        line.kafka.forbid(TELEMETRY)
        until("the bridge holds", lambda: bridge.metrics()["held"] == 1)
        line.kafka.allow(TELEMETRY)
    assert sender.stop() == 0
    bridge.quiet()
    assert bridge.metrics()["held"] == 0
    assert bridge.metrics()['errors_total{class="target",code="TOPIC_AUTHORIZATION_FAILED"}'] > 0
    assert "Kafka refuses topic telemetry" in bridge.tail()
    found = line.account()
    assert (found.lost, found.duplicated, found.disordered) == (0, 0, 0)
    assert not line.kafka.records(DEAD_LETTERS)


def test_a_bridge_that_is_killed_while_it_holds_loses_nothing(line: Line) -> None:
    bridge = line.bridge()
    bridge.start()
    line.kafka.forbid(TELEMETRY)
    sender = line.sender(RATE, 10**9)
    until("the bridge holds", lambda: bridge.metrics()["held"] == 1)
    bridge.kill()
    bridge.start()
    until("the bridge holds", lambda: bridge.metrics().get("held") == 1)
    line.kafka.allow(TELEMETRY)
    assert sender.stop() == 0
    bridge.quiet()
    found = line.account()
    assert (found.lost, found.duplicated, found.disordered) == (0, 0, 0)


def test_records_that_are_too_large_do_not_change_the_order_of_others(line: Line) -> None:
    """A limit below that of a batch: each refusal takes records with it that would fit."""
    line.kafka.configure(TELEMETRY, {"max.message.bytes": "4000"})
    bridge = line.bridge(linger_ms=100)
    bridge.start()
    sender = line.sender(RATE, 10**9)
    with Client(line.mosquitto.port, OTHER) as device:
        for number in range(20):
            acked = bridge.metrics()["acked_total"]
            until("messages flow", lambda least=acked: bridge.metrics()["acked_total"] > least + RATE // 10)
            device.publish(f"devices/{OTHER}/telemetry", b"%05d" % number + b"x" * 5000)
    assert sender.stop() == 0
    bridge.quiet()
    found = line.account()
    assert (found.lost, found.duplicated, found.disordered) == (0, 0, 0)
    letters = line.kafka.records(DEAD_LETTERS)
    assert [int(letter.value[:5]) for letter in letters] == list(range(20))


def test_what_no_topic_takes_does_not_stop_what_flows_beside_it(line: Line) -> None:
    """Requests are under way, to other partitions too, at the moment of each refusal."""
    bridge = line.bridge()
    bridge.start()
    sender = line.sender(RATE, 10**9)
    with Client(line.mosquitto.port, OTHER) as device:
        for number in range(50):
            device.publish(f"devices/{OTHER}/telemetry", b"%05d" % number + b"x" * 1_200_000)
    until("all are dead letters", lambda: bridge.metrics().get(TOO_LARGE) == 50, timeout=180)
    assert sender.stop() == 0
    bridge.quiet()
    found = line.account()
    assert (found.lost, found.duplicated, found.disordered) == (0, 0, 0)
    assert [int(letter.value[:5]) for letter in line.kafka.records(DEAD_LETTERS)] == list(range(50))


def test_a_batch_that_is_refused_is_not_overtaken_by_those_behind_it(kafka: Kafka) -> None:
    """Even if nobody looks at the refusal before the others have been tried.

    The limit of the topic is below that of a full batch, and above that of the last one of a burst.
    """
    kafka.configure(TELEMETRY, {"max.message.bytes": "100000"})
    wanted = config.Kafka((kafka.server,), linger_ms=25)
    settings = (producer.settings(wanted, wanted.linger_ms), producer.single(wanted))
    makers = [partial(producer.make, each, print) for each in settings]
    delivery = Delivery(*makers, DEAD_LETTERS, Counters(), time.monotonic)
    route = Route(TELEMETRY, b"a", ("mqtt.topic", b"devices/a/t"), None)
    for number in range(BURST):
        publish = Publish(b"devices/a/t", b"%05d" % number + b"x" * 500, 1, 0, None)
        delivery.send(Record(publish, route, [route.header], time.monotonic()))
    time.sleep(SECONDS_UNSEEN)

    def landed() -> bool:
        delivery.poll()
        return not delivery.pending

    until("all have landed", landed, timeout=180, pause=0.001)
    assert [int(record.value[:5]) for record in kafka.records()] == list(range(BURST))
    assert not kafka.records(DEAD_LETTERS)
