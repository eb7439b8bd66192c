"""Messages reach Kafka as they were sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .conftest import DEVICES

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
        assert headers == {}
