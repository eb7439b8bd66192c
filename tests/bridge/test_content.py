"""Whatever a device sends reaches Kafka: as it is, or as a dead letter that says why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from .client import Client
from .kafka import DEAD_LETTERS, TELEMETRY
from .process import until
from .sender import names

if TYPE_CHECKING:
    from pathlib import Path

    from kafka.consumer.fetcher import ConsumerRecord

    from .bridge import Bridge
    from .conftest import Line

DEVICE, OTHER = names(2)
TOPIC = f"devices/{DEVICE}/telemetry"
SKEW_S = 7200


@pytest.fixture
def bridge(line: Line) -> Bridge:
    bridge = line.bridge()
    bridge.start()
    return bridge


@pytest.fixture
def device(line: Line, bridge: Bridge) -> Client:  # noqa: ARG001 - what it sends is not to be lost
    return Client(line.mosquitto.port, DEVICE)


def arrived(bridge: Bridge, count: int) -> None:
    until(f"{count} are acknowledged", lambda: bridge.metrics()["acked_total"] == count)


def headers(record: ConsumerRecord) -> dict[str, str]:
    return {name: value.decode() for name, value in record.headers}


@pytest.mark.parametrize(
    "payload",
    [b"", b"\x00\xff\xfe" * 100, b"\xf0\x28\x8c\x28", b"x" * 127, b"x" * 128, b"x" * 1_000_000],
    ids=["empty", "binary", "no UTF-8", "127", "128", "1 MB"],
)
def test_a_payload_is_not_touched(line: Line, bridge: Bridge, device: Client, payload: bytes) -> None:
    device.publish(TOPIC, payload)
    arrived(bridge, 1)
    (record,) = line.kafka.records()
    assert (record.value, record.key) == (payload, DEVICE.encode())


@pytest.mark.parametrize("end", ["a b/c d", "ä/€/日本", "/", "a//b", "x" * 1000, "$SYS/broker/x"])
def test_every_topic_below_that_of_the_device_is_carried(line: Line, bridge: Bridge, device: Client, end: str) -> None:
    device.publish(f"devices/{DEVICE}/{end}", b"x")
    arrived(bridge, 1)
    (record,) = line.kafka.records()
    assert headers(record)["mqtt.topic"] == f"devices/{DEVICE}/{end}"


def test_the_topic_of_the_device_itself_is_carried(line: Line, bridge: Bridge, device: Client) -> None:
    device.publish(f"devices/{DEVICE}", b"x")
    # The ACL covers the parent level of its `#` too, as the filter does.
    arrived(bridge, 1)
    assert [record.key for record in line.kafka.records()] == [DEVICE.encode()]


def test_a_message_of_qos_0_is_carried_too(line: Line, bridge: Bridge, device: Client) -> None:
    device.publish(TOPIC, b"x", qos=0)
    until("it is received", lambda: bridge.metrics()["delivery_seconds_count"] == 1)
    (record,) = line.kafka.records()
    assert headers(record)["mqtt.qos"] == "0"
    assert bridge.metrics()["acked_total"] == 0


def test_the_time_that_the_publisher_states_is_a_header(line: Line, bridge: Bridge, device: Client) -> None:
    device.publish(TOPIC, b"x", time="1795680000000", place="roof")
    arrived(bridge, 1)
    (record,) = line.kafka.records()
    assert headers(record)["mqtt.time"] == "1795680000000"
    assert "place" not in headers(record)


def test_a_retained_message_comes_once_however_often_the_bridge_connects(
    line: Line, bridge: Bridge, device: Client
) -> None:
    device.publish(TOPIC, b"retained", retain=True)
    arrived(bridge, 1)
    assert bridge.stop() == 0
    bridge.start()
    line.mosquitto.stop()
    line.mosquitto.start()
    with Client(line.mosquitto.port, DEVICE) as again:
        again.publish(TOPIC, b"last")
    arrived(bridge, 1)
    assert [record.value for record in line.kafka.records()] == [b"retained", b"last"]


def test_a_clock_that_is_hours_off_is_no_reason_to_refuse(line: Line, bridge: Bridge) -> None:
    assert line.sender(500, 500, "--skew", str(SKEW_S)).ended() == 0
    bridge.quiet()
    found = line.account()
    assert (found.stored, found.lost) == (500, 0)
    record = line.kafka.records()[0]
    assert json.loads(record.value)["ts_ns"] / 1e6 - record.timestamp > SKEW_S * 500
    assert not line.kafka.records(DEAD_LETTERS)


def test_what_is_too_large_for_the_topic_is_a_dead_letter_and_the_rest_goes_on(
    line: Line, bridge: Bridge, device: Client
) -> None:
    large = b"x" * 1_400_000
    for payload in (b"before", large, b"after"):
        device.publish(TOPIC, payload)
    arrived(bridge, 3)
    assert [record.value for record in line.kafka.records()] == [b"before", b"after"]
    (letter,) = line.kafka.records(DEAD_LETTERS)
    assert (letter.value, letter.key) == (large, DEVICE.encode())
    assert headers(letter)["error"] == "MSG_SIZE_TOO_LARGE"
    assert "too large" in headers(letter)["reason"]
    assert headers(letter)["mqtt.topic"] == TOPIC
    assert bridge.metrics()['dead_lettered_total{error="MSG_SIZE_TOO_LARGE"}'] == 1


def test_a_small_topic_limit_sends_only_what_is_too_large_to_the_dead_letters(
    line: Line, bridge: Bridge, device: Client
) -> None:
    """A batch is refused as a whole; those of its records that would fit are stored, in order."""
    line.kafka.configure(TELEMETRY, {"max.message.bytes": "3000"})
    payloads = [f"{number:03}".encode() + b"x" * (5000 if number % 10 == 3 else 500) for number in range(60)]
    for payload in payloads:
        device.publish(TOPIC, payload)
    arrived(bridge, len(payloads))
    assert [record.value for record in line.kafka.records()] == [each for each in payloads if len(each) < 3000]
    assert [record.value for record in line.kafka.records(DEAD_LETTERS)] == [
        each for each in payloads if len(each) > 3000
    ]


def test_a_payload_that_does_not_fit_its_schema_is_a_dead_letter(line: Line, tmp_path: Path) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "object", "required": ["t"], "properties": {"t": {"type": "number"}}}')
    tree = {"filter": "devices/+/#", "topic": TELEMETRY, "schema": str(schema)}
    bridge = line.bridge(topics=[tree])
    bridge.start()
    with Client(line.mosquitto.port, DEVICE) as device:
        for payload in (b'{"t": 1}', b'{"t": "warm"}', b"\xff", b'{"t": 2}'):
            device.publish(TOPIC, payload)
    arrived(bridge, 4)
    assert [record.value for record in line.kafka.records()] == [b'{"t": 1}', b'{"t": 2}']
    letters = line.kafka.records(DEAD_LETTERS)
    assert [letter.value for letter in letters] == [b'{"t": "warm"}', b"\xff"]
    assert {headers(letter)["error"] for letter in letters} == {"SCHEMA"}
    assert "data.t must be number" in headers(letters[0])["reason"]


def test_a_filter_that_the_configuration_has_no_more_is_unsubscribed(line: Line) -> None:
    both = [{"filter": f"devices/+/{name}", "topic": TELEMETRY} for name in ("old", "new")]
    earlier = line.bridge(topics=both)
    earlier.start()
    assert earlier.stop() == 0
    later = line.bridge("later", topics=both[1:], state=earlier)
    later.start()
    until("it is unsubscribed", lambda: "unsubscribed from devices/+/old" in later.tail())
    with Client(line.mosquitto.port, DEVICE) as device:
        device.publish(f"devices/{DEVICE}/old", b"old")
        device.publish(f"devices/{DEVICE}/new", b"new")
    arrived(later, 1)
    assert [record.value for record in line.kafka.records()] == [b"new"]
