"""The last record of each key; the consumer is one that has its records in a list."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.module_utils import _kafka
from ansible_collections.raspi.kafka.plugins.module_utils._kafka import ExpectedError
from ansible_collections.raspi.kafka.plugins.modules import last_records
from ansible_collections.raspi.kafka.plugins.modules.last_records import Found, read, starts

from tests.module_args import patch_module_args

TP = "telemetry-0"


def record(offset: int, key: bytes | None = b"kitchen", timestamp: int = 1000, headers: Any = ()) -> SimpleNamespace:
    return SimpleNamespace(
        topic="telemetry", partition=0, offset=offset, key=key, timestamp=timestamp, headers=list(headers)
    )


class Consumer:
    """Gives one batch after the other."""

    def __init__(self, *batches: list[Any]) -> None:
        self.batches, self.at = list(batches), 0

    def assign(self, tps: list[str]) -> None:
        assert tps == [TP]

    def seek(self, _tp: str, offset: int) -> None:
        self.at = offset

    def position(self, _tp: str) -> int:
        return self.at

    def poll(self, timeout_ms: int) -> dict[str, list[Any]]:
        assert timeout_ms
        batch = self.batches.pop(0) if self.batches else []
        self.at = batch[-1].offset + 1 if batch else self.at
        return {TP: batch} if batch else {}


def test_the_latest_record_of_a_key_wins_and_its_headers_are_text() -> None:
    found = Found()
    for one in (
        record(0, timestamp=5, headers=[("mqtt.topic", b"devices/kitchen/a")]),
        record(1, timestamp=9, headers=[("mqtt.topic", "devices/kitchen/\xfc".encode())]),
        record(2, timestamp=7),
        record(3, key=b"\xff", timestamp=1),
        record(4, key=None, timestamp=3),
    ):
        found.add(one)
    assert found.records["kitchen"] == {
        "timestamp": 9,
        "topic": "telemetry",
        "partition": 0,
        "offset": 1,
        "headers": {"mqtt.topic": "devices/kitchen/ü"},
    }
    assert (set(found.records), found.since) == ({"kitchen", "\ufffd"}, 1)


def test_no_more_than_the_depth_is_read_and_empty_partitions_are_left_out() -> None:
    assert starts({"a": 0, "b": 90, "c": 5}, {"a": 100, "b": 100, "c": 5}, 50) == {"a": 50, "b": 90}


def test_it_reads_up_to_the_end_and_not_further() -> None:
    consumer = Consumer([record(3), record(4)], [], [record(5)], [record(6, key=b"late")])
    assert set(read(consumer, {TP: 3}, {TP: 6}, 60000).records) == {"kitchen"}


def test_silence_is_a_failure_and_no_endless_wait() -> None:
    with pytest.raises(ExpectedError, match="No record came for 1 s") as silent:
        read(Consumer([record(3)]), {TP: 3}, {TP: 6}, 1000)
    assert silent.value.facts["reason"] == "timeout"


def told(capsys: pytest.CaptureFixture[str], depth: int) -> dict[str, Any]:
    """Run the module as Ansible does; returns its result."""
    servers = {"bootstrap_servers": ["127.0.0.1:1"], "request_timeout_ms": 1000}
    with patch_module_args({**servers, "topics": ["telemetry"], "depth": depth}), pytest.raises(SystemExit):
        last_records.main()
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("depth", [0, 1000001])
def test_a_depth_out_of_range_is_refused(depth: int, capsys: pytest.CaptureFixture[str]) -> None:
    result = told(capsys, depth)
    assert (result["failed"], result["reason"]) == (True, "invalid")
    assert result["msg"].startswith(f"depth is {depth}.")


@pytest.mark.parametrize(("depth", "complete"), [(3, True), (2, False)])
def test_it_is_only_complete_where_all_was_read_from_the_beginning(
    depth: int, complete: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    consumer = Consumer([record(3 - depth), record(2)])
    consumer.topics = lambda: {"telemetry", "others"}
    consumer.partitions_for_topic = lambda _topic: {0}
    consumer.beginning_offsets, consumer.end_offsets = lambda _tps: {TP: 0}, lambda _tps: {TP: 3}
    consumer.close = lambda **_options: None
    monkeypatch.setattr(_kafka, "KafkaConsumer", lambda **_options: consumer)
    monkeypatch.setattr(last_records, "TopicPartition", "{}-{}".format)
    result = told(capsys, depth)
    assert (result["changed"], result["complete"], list(result["records"])) == (False, complete, ["kitchen"])
