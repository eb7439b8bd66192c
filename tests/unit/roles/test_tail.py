"""How `kafka tail` shows messages and silence."""

from __future__ import annotations

import importlib.util
import time
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[3] / "roles" / "kraft_broker" / "files" / "tail.py"
_SPEC = importlib.util.spec_from_file_location("tail", SCRIPT)
tail = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(tail)
NOON = datetime(2026, 11, 23, 12, 0, 0, 123000).timestamp()


@pytest.fixture(autouse=True)
def _far_from_greenwich(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def record(key: bytes | None, value: bytes | None, timestamp: int = 0, partition: int = 0, offset: int = 0) -> Any:
    return SimpleNamespace(key=key, value=value, timestamp=timestamp, partition=partition, offset=offset)


def test_a_message_is_one_line_with_its_local_time() -> None:
    noon_in_nepal = 1795414500123  # 2026-11-23 06:15:00.123 UTC
    shown = tail.line(record(b"desk", b'{"temperature": 20.1}', noon_in_nepal))
    assert shown == '2026-11-23 12:00:00.123  desk  {"temperature": 20.1}'


def test_a_message_may_lack_everything() -> None:
    assert tail.line(record(None, None, -1)).split() == ["no", "time", "-", "null"]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        ("21,5 °C ☀".encode(), "21,5 °C ☀"),
        (b'{\n\t"a": 1\r\n}', '{\\n\\t"a": 1\\r\\n}'),
        (b"\x00\x01\xff", "0x0001ff"),
        (b"\x1b[2Jgone", "0x1b5b324a676f6e65"),
        ("\u202egnp.exe".encode(), "0xe280ae676e702e657865"),
        (None, "null"),
    ],
)
def test_a_value_is_one_line_that_no_terminal_obeys(data: bytes | None, text: str) -> None:
    assert tail.shown(data) == text


def test_a_long_value_is_cut_and_tells_its_size() -> None:
    assert tail.shown(b"x" * 5000) == "x" * 2000 + "... (5000 bytes)"
    assert tail.shown(b"\xff" * 1500) == "0x" + "ff" * 999 + "... (1500 bytes)"


def test_keys_select_messages() -> None:
    assert tail.wanted(record(b"desk", b""), [])
    assert tail.wanted(record(None, b""), [])
    assert tail.wanted(record(b"desk", b""), ["roof", "desk"])
    assert not tail.wanted(record(b"desk2", b""), ["desk"])
    assert not tail.wanted(record(None, b""), ["desk"])


def test_the_last_messages_of_all_partitions_are_those_with_the_latest_times() -> None:
    records = [record(b"", b"", timestamp, timestamp % 2, timestamp) for timestamp in (5, 1, 4, 2, 3)]
    assert [one.timestamp for one in tail.last(records, 3)] == [3, 4, 5]
    assert [one.timestamp for one in tail.last(records, 9)] == [1, 2, 3, 4, 5]
    assert tail.last(records, 0) == []


def test_messages_of_one_time_keep_their_order_within_a_partition() -> None:
    records = [record(b"", b"", 7, 0, offset) for offset in (10, 9, 11)]
    assert [one.offset for one in tail.last(records, 2)] == [10, 11]


@pytest.mark.parametrize(
    ("age", "said"),
    [
        (61, "no message since 12:00:00 (1 min)"),
        (-30, "no message since 12:00:00 (0 min)"),
        (119 * 60, "no message since 12:00:00 (119 min)"),
        (3 * 3600, "no message since 12:00:00 (3 h)"),
        (30 * 3600, "no message since 2026-11-23 12:00:00 (30 h)"),
        (5 * 86400, "no message since 2026-11-23 12:00:00 (5 days)"),
    ],
)
def test_silence_tells_since_when(age: float, said: str) -> None:
    noon = datetime(2026, 11, 23, 12).timestamp()
    assert tail.silence(noon, noon + age) == said


def test_a_topic_without_messages_has_no_message_yet() -> None:
    assert tail.silence(None, NOON) == "no message yet"


def test_an_unknown_topic_is_answered_with_the_known_ones() -> None:
    said = tail.unknown("temp", {"telemetry", "events", "__consumer_offsets"}, "127.0.0.1:19092")
    assert said == "There is no topic temp at 127.0.0.1:19092; there are events, telemetry."
    assert tail.unknown("temp", set(), "pi:1") == "There is no topic temp at pi:1; there is none yet."


def test_an_unknown_topic_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = SimpleNamespace(topics=lambda: {"telemetry"})
    monkeypatch.setattr(tail, "KafkaConsumer", lambda **_options: consumer)
    monkeypatch.setattr(tail.Tail, "answers", lambda _self: True)
    assert tail.Tail("pi:1", "telemetry", [], 10).connect() is consumer
    with pytest.raises(SystemExit, match="There is no topic temp at pi:1"):
        tail.Tail("pi:1", "temp", [], 10).connect()
