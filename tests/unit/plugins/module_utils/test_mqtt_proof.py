"""What a device published is in Kafka, or a sentence says what is not."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.module_utils._kafka import ExpectedError
from ansible_collections.raspi.kafka.plugins.module_utils._mqtt_proof import (
    Published,
    Stored,
    hops,
    judge,
    payload_of,
    shown,
)

DEVICE, TOPIC = "kitchen", "devices/kitchen/proof"
SENT = [Published(payload_of("r", number, 3), 1000.0 + number, 0.4) for number in (1, 2, 3)]


def record(number: int, **change: Any) -> Stored:
    """The record of a message: received 10 ms and appended 35 ms after it was sent, and read after 40."""
    sent = SENT[number - 1]
    headers = {"mqtt.topic": TOPIC.encode(), "mqtt.received": str(round(sent.sent * 1000) + 10).encode()}
    stored = Stored(2, 100 + number, DEVICE.encode(), sent.payload, headers, sent.sent + 0.035, sent.sent + 0.040)
    return dataclasses.replace(stored, **change)


ALL = [record(1), record(2), record(3)]


def reason(stored: list[Stored]) -> str:
    with pytest.raises(ExpectedError) as told:
        judge(SENT, stored, DEVICE, TOPIC)
    return told.value.facts["reason"]


def test_what_is_there_in_order_under_its_device_is_proven() -> None:
    assert judge(SENT, ALL, DEVICE, TOPIC) == ALL


def test_the_order_of_reading_does_not_matter() -> None:
    assert judge(SENT, ALL[::-1], DEVICE, TOPIC) == ALL


def test_a_second_copy_is_no_fault_and_the_first_one_counts() -> None:
    assert judge(SENT, [*ALL, record(1, offset=110)], DEVICE, TOPIC) == ALL


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_message_that_is_not_there_is_lost(missing: int) -> None:
    assert reason(ALL[:missing] + ALL[missing + 1 :]) == "lost"


def test_a_message_with_other_content_is_lost() -> None:
    assert reason([record(1, value=b"{}"), *ALL[1:]]) == "lost"


@pytest.mark.parametrize(
    "change", [{"key": b"cellar"}, {"key": None}, {"headers": {"mqtt.topic": b"devices/cellar/proof"}}]
)
def test_another_key_or_mqtt_topic_is_told(change: dict[str, Any]) -> None:
    assert reason([record(1, **change), *ALL[1:]]) == "different"


@pytest.mark.parametrize("change", [{"offset": 110}, {"partition": 3}])
def test_another_order_is_told(change: dict[str, Any]) -> None:
    assert reason([record(1, **change), *ALL[1:]]) == "order"


def test_two_partitions_are_no_order_even_where_their_numbers_rise() -> None:
    assert reason([*ALL[:2], record(3, partition=3)]) == "order"


def test_each_hop_is_told_where_there_is_one_clock() -> None:
    assert shown(hops(SENT, ALL, one_clock=True)) == {
        "puback": {"p50_ms": 0.4, "p99_ms": 0.4},
        "consumer": {"p50_ms": 40.0, "p99_ms": 40.0},
        "bridge": {"p50_ms": 10.0, "p99_ms": 10.0},
        "append": {"p50_ms": 25.0, "p99_ms": 25.0},
    }


def test_clocks_of_two_machines_are_not_compared() -> None:
    assert hops(SENT, ALL, one_clock=False).keys() == {"puback", "consumer"}


def test_no_hop_is_shorter_than_nothing() -> None:
    assert shown({"bridge": [-0.4]}) == {"bridge": {"p50_ms": 0.0, "p99_ms": 0.0}}
