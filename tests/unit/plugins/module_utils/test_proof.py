"""Each test here breaks one thing in a proof that holds, which must then fail with the right reason."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.module_utils._kafka import ExpectedError
from ansible_collections.raspi.kafka.plugins.module_utils._log_segments import Record
from ansible_collections.raspi.kafka.plugins.module_utils._proof import (
    Broker,
    assign,
    is_of_run,
    judge_addresses,
    judge_beginning,
    judge_records,
    messages_of,
    percentile,
)

ACKED = {(0, 10 + number): message for number, message in enumerate(messages_of("run", 1, 5))}


def reason_of(found: dict[tuple[int, int], Record]) -> str:
    with pytest.raises(ExpectedError) as refused:
        judge_records(ACKED, found, "read by the consumer", "lost")
    return refused.value.facts["reason"]


def test_what_was_acknowledged_and_nothing_else_holds() -> None:
    judge_records(ACKED, dict(ACKED), "read by the consumer", "lost")


@pytest.mark.parametrize("place", list(ACKED))
def test_each_dropped_record_is_noticed(place: tuple[int, int]) -> None:
    assert reason_of({other: record for other, record in ACKED.items() if other != place}) == "lost"


def test_nothing_read_is_everything_lost() -> None:
    assert reason_of({}) == "lost"


def test_an_altered_value_is_noticed() -> None:
    assert reason_of({**ACKED, (0, 12): Record(ACKED[0, 12].key, b"{}")}) == "different"


def test_an_altered_key_is_noticed() -> None:
    assert reason_of({**ACKED, (0, 12): Record(b"run/1/9", ACKED[0, 12].value)}) == "different"


def test_two_records_in_each_others_place_are_noticed() -> None:
    assert reason_of({**ACKED, (0, 11): ACKED[0, 12], (0, 12): ACKED[0, 11]}) == "different"


def test_a_record_at_another_offset_is_noticed_and_its_place_named() -> None:
    moved = dict(ACKED)
    moved[0, 99] = moved.pop((0, 14))
    with pytest.raises(ExpectedError, match="partition 0 offset 14 is at partition 0 offset 99"):
        judge_records(ACKED, moved, "read by the consumer", "lost")


def test_a_record_in_another_partition_is_noticed() -> None:
    moved = dict(ACKED)
    moved[1, 14] = moved.pop((0, 14))
    assert reason_of(moved) == "lost"


def test_a_record_stored_twice_is_noticed() -> None:
    assert reason_of({**ACKED, (0, 15): ACKED[0, 14]}) == "unexpected"


def test_the_reason_tells_the_disk_from_the_consumer() -> None:
    with pytest.raises(ExpectedError) as refused:
        judge_records(ACKED, {}, "found on disk", "not_on_disk")
    assert refused.value.facts == {"reason": "not_on_disk", "missing": 5}


@pytest.mark.parametrize(
    ("first", "oldest", "end"),
    [
        ({0: 0, 1: 7}, {0: 0, 1: 7}, {0: 9, 1: 9}),
        ({0: 0}, {0: 0, 1: 9}, {0: 9, 1: 9}),  # partition 1 is empty
        ({0: 3}, {0: 5}, {0: 9}),  # retention deleted 3 and 4 while the consumer read
    ],
)
def test_reading_from_the_oldest_record_holds(
    first: dict[int, int], oldest: dict[int, int], end: dict[int, int]
) -> None:
    judge_beginning(first, oldest, end)


@pytest.mark.parametrize(
    ("first", "oldest", "end"),
    [
        ({0: 1}, {0: 0}, {0: 9}),
        ({0: 0, 1: 9}, {0: 0, 1: 8}, {0: 9, 1: 10}),
        ({0: 0}, {0: 0, 1: 0}, {0: 9, 1: 1}),  # partition 1 was skipped as a whole
    ],
)
def test_skipping_the_beginning_is_noticed(first: dict[int, int], oldest: dict[int, int], end: dict[int, int]) -> None:
    with pytest.raises(ExpectedError) as refused:
        judge_beginning(first, oldest, end)
    assert refused.value.facts["reason"] == "not_from_beginning"


def test_messages_are_numbered_and_all_different() -> None:
    messages = messages_of("run", 1, 100)
    assert len(set(messages)) == 100
    assert not set(messages) & set(messages_of("run", 2, 100))
    assert all(is_of_run("run", message.key) for message in messages)


@pytest.mark.parametrize("key", [None, b"", b"run", b"run2/1/1", b"other/1/1"])
def test_records_of_others_are_left_aside(key: bytes | None) -> None:
    assert not is_of_run("run", key)


def test_percentiles_are_values_that_were_measured() -> None:
    assert percentile([4.0], 99) == 4.0
    assert percentile([3, 1, 2, 4], 50) == 2
    assert percentile(range(1, 101), 99) == 99


def test_two_brokers_at_one_address_are_refused() -> None:
    with pytest.raises(ExpectedError, match=r"1 and 2 both advertise 127\.0\.0\.1:9094"):
        judge_addresses([Broker(1, "127.0.0.1", 9094), Broker(2, "127.0.0.1", 9094)])


def partition(number: int, leader: int) -> dict[str, Any]:
    return {"partition_index": number, "leader_id": leader, "replica_nodes": [1, 2]}


def test_each_broker_is_given_a_partition_that_it_leads() -> None:
    brokers = [Broker(1, "a", 1), Broker(2, "b", 1)]
    assert assign(brokers, [partition(0, 2), partition(1, 1), partition(2, 1)], "t") == {1: 1, 2: 0}


@pytest.mark.parametrize(
    ("partitions", "text"),
    [
        ([partition(0, 1)], "No partition of topic t, which has 1, is led by broker 2"),
        ([partition(0, 1), partition(1, 2), partition(2, -1)], "Partition 2 of topic t has no leader"),
    ],
)
def test_a_broker_without_a_partition_or_a_partition_without_leader_is_refused(
    partitions: list[dict[str, Any]], text: str
) -> None:
    with pytest.raises(ExpectedError, match=text) as refused:
        assign([Broker(1, "a", 1), Broker(2, "b", 1)], partitions, "t")
    assert refused.value.facts["reason"] == "no_leader"
