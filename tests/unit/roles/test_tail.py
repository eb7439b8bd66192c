"""How `kafka tail` shows messages and silence."""

from __future__ import annotations

import importlib.util
import socket
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

pytestmark = pytest.mark.usefixtures("far_from_greenwich")


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
        (34.9, "no message since 12:00:00 (34 s)"),
        (-30, "no message since 12:00:00 (0 s)"),
        (119 * 60, "no message since 12:00:00 (119 min)"),
        (3 * 3600, "no message since 12:00:00 (3 h)"),
        (30 * 3600, "no message since 2026-11-23 12:00:00 (30 h)"),
        (5 * 86400, "no message since 2026-11-23 12:00:00 (5 days)"),
    ],
)
def test_silence_tells_since_when(age: float, said: str) -> None:
    noon = datetime(2026, 11, 23, 12).timestamp()
    assert tail.silence(noon, noon + age, []) == said


def test_where_nothing_was_found_it_says_where_it_looked() -> None:
    assert tail.silence(None, NOON, []) == "no message is stored"
    among = "no message of desk or roof among the last 1000 of each partition"
    assert tail.silence(None, NOON, ["desk", "roof"]) == among


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


# --- following a topic


class Consumer:
    """A topic of one partition; what arrives later comes with the polls, and after them Ctrl-C."""

    def __init__(self, stored: list[Any], *later: list[Any]) -> None:
        self.records, self.later, self.place = stored, [list(batch) for batch in later], 0

    def partitions_for_topic(self, _topic: str) -> set[int]:
        return {0}

    def assign(self, _partitions: Any) -> None:
        pass

    def beginning_offsets(self, partitions: Any) -> dict[Any, int]:
        return dict.fromkeys(partitions, 0)

    def end_offsets(self, partitions: Any) -> dict[Any, int]:
        return dict.fromkeys(partitions, len(self.records))

    def seek(self, _partition: Any, offset: int) -> None:
        self.place = offset

    def position(self, _partition: Any) -> int:
        return self.place

    def poll(self, _milliseconds: int) -> dict[Any, list[Any]]:
        batch, self.place = self.records[self.place :], len(self.records)
        if batch:
            return {0: batch}
        if not self.later:
            raise KeyboardInterrupt
        return {0: batch} if (batch := self.later.pop(0)) else {}


@pytest.fixture
def follow(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Follow a consumer's topic; each poll takes 70 s. Returns what stdout and stderr got."""
    clock = [noon()]
    monkeypatch.setattr(tail.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(tail.time, "time", lambda: clock[0])

    def followed(consumer: Consumer, keys: list[str], count: int) -> tuple[list[str], list[str]]:
        one = tail.Tail("127.0.0.1:1", "telemetry", keys, count)
        poll = consumer.poll
        consumer.poll = lambda milliseconds: (clock.append(clock.pop() + 70), poll(milliseconds))[1]
        monkeypatch.setattr(one, "connect", lambda: consumer)
        monkeypatch.setattr(one, "answers", lambda: True)
        with pytest.raises(KeyboardInterrupt):
            one.run()
        out, err = capsys.readouterr()
        return out.splitlines(), err.splitlines()

    return followed


def noon() -> float:
    """In Nepal, where the tests are once they run."""
    return datetime(2026, 11, 23, 12).timestamp()


def at_noon(key: bytes, offset: int = 0) -> Any:
    return record(key, b"x", int(noon() * 1000), 0, offset)


def test_with_last_0_a_full_topic_is_not_called_empty(follow: Any) -> None:
    assert follow(Consumer([at_noon(b"desk")]), [], 0) == ([], ["no message since 12:00:00 (1 min)"])


def test_silence_is_said_at_once_after_what_was_stored(follow: Any) -> None:
    out, err = follow(Consumer([at_noon(b"desk")]), [], 10)
    assert (len(out), err) == (1, ["no message since 12:00:00 (1 min)"])


def test_a_key_of_which_nothing_was_found_is_named(follow: Any) -> None:
    out, err = follow(Consumer([at_noon(b"roof", offset) for offset in range(1001)]), ["desk"], 10)
    assert (out, err) == ([], ["no message of desk among the last 1000 of each partition"])


def test_what_arrives_is_of_now_whatever_the_clock_of_the_device_says(follow: Any) -> None:
    out, err = follow(Consumer([], [record(b"desk", b"x", 0)], []), [], 10)
    assert len(out) == 1
    assert err == ["no message is stored", "no message since 12:01:10 (1 min)"]


def test_a_broker_that_is_not_ready_yet_is_waited_for_aloud(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one, states = tail.Tail("pi:1", "events", [], 10), [ConnectionError(), tail.KafkaError(), tail.KafkaError()]

    def consumer() -> Any:
        if states:
            raise states.pop(0)
        return "the consumer", {"events"}

    monkeypatch.setattr(one, "consumer", consumer)
    monkeypatch.setattr(tail.time, "sleep", lambda _seconds: None)
    assert one.connect() == "the consumer"
    assert capsys.readouterr().err.splitlines() == [
        "The broker at pi:1 does not answer; `systemctl status kafka` says why. Waiting for it.",
        f"The broker at pi:1 {tail._STARTS}",
        "The broker at pi:1 is back.",
    ]


def test_a_port_that_is_open_and_says_nothing_is_a_broker_that_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "_BOOTSTRAP_MS", 500)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(tail.KafkaError):
            tail.Tail(address, "events", [], 10).consumer()
    with pytest.raises(ConnectionError):
        tail.Tail(address, "events", [], 10).consumer()
