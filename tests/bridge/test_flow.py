"""Messages reach Kafka as they were sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .conftest import DEVICES
from .process import until

if TYPE_CHECKING:
    from .conftest import Line


def test_every_message_is_stored_once_in_order_under_its_device(line: Line) -> None:
    bridge = line.bridge()
    bridge.start()
    assert line.sender(1000, 3000).ended() == 0
    bridge.quiet()
    found = line.account()
    assert (found.acknowledged, found.stored) == (3000, 3000)
    assert (found.lost, found.duplicated, found.disordered) == (0, 0, 0)
    records = line.kafka.records()
    assert {record.key.decode() for record in records} == {f"device-{number:03}" for number in range(DEVICES)}
    assert {record.timestamp_type for record in records} == {1}, "the time of a record is the broker's"
    for record in records[:10]:
        headers = dict(record.headers)
        assert headers.pop("mqtt.topic") == b"devices/" + record.key + b"/telemetry"
        assert headers.pop("mqtt.qos") == b"1"
        assert abs(int(headers.pop("mqtt.received")) - record.timestamp) < 60_000
        assert headers.pop("mqtt.gateway") == bridge.instance.encode()
        assert headers == {}


def test_a_restart_of_the_bridge_stores_nothing_twice(line: Line) -> None:
    bridge = line.bridge(linger_ms=300)
    bridge.start()
    sender = line.sender(1000, 10**9)
    for _restart in range(3):
        until("records are under way", lambda: bridge.metrics().get("in_flight", 0) > 100)
        assert bridge.stop() == 0
        bridge.start()
    assert sender.stop() == 0
    bridge.quiet()
    found = line.account()
    assert (found.lost, found.duplicated, found.disordered) == (0, 0, 0)


def test_a_bridge_ends_in_good_order_although_kafka_is_away(line: Line) -> None:
    bridge = line.bridge()
    bridge.start()
    sender = line.sender(500, 10**9)
    until("messages flow", lambda: bridge.metrics()["acked_total"] > 500)
    line.kafka.kill()
    until("it waits for Kafka", lambda: bridge.metrics()["in_flight"] > 500)
    assert bridge.stop() == 0
    bridge.start()
    line.kafka.start()
    assert sender.stop() == 0
    bridge.quiet()
    found = line.account()
    assert (found.lost, found.disordered) == (0, 0)


def test_a_password_that_mosquitto_does_not_know_is_told_and_tried_again(line: Line) -> None:
    bridge = line.bridge()
    right = bridge.password.read_text()
    bridge.password.write_text("wrong\n")
    bridge.start(ready=False)
    until("it is told", lambda: any("wrong password" in note for note in bridge.notes()))
    assert bridge.running
    assert bridge.stop() == 0
    bridge.password.write_text(right)
    bridge.start()
