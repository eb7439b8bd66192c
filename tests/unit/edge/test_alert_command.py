"""`raspi-kafka alert`: recorded data, and what it prints and refuses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from raspi_kafka.alert import recorded, replay
from raspi_kafka.alert.record import Record
from raspi_kafka.alert.recorded import RecordedError
from raspi_kafka.cli import main

from tests.unit.edge.alerting import START_MS, Bench, engine_of, told

if TYPE_CHECKING:
    from pathlib import Path

RULES = """
rules:
  - {name: hot, threshold: {field: t, above: 80}}
  - {name: quiet, severity: critical, silence: {after: 1m}}
"""


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """A rules file and recorded data: one device that is hot once and then silent, and another one that goes on."""
    (tmp_path / "rules.yml").write_text(RULES)
    bench = Bench(RULES)
    sent = [
        bench.record(0, {"t": 81}, "a"),
        bench.record(1, {"t": 80}, "a"),
        bench.record(2, {"timestamp": START_MS - 3_600_000}, "a"),
    ]
    sent += [bench.record(at, {}, "b", partition=1) for at in range(0, 91, 10)]
    (tmp_path / "recorded.jsonl").write_text("".join(f"{recorded.line_of(each)}\n" for each in reversed(sent)))
    return [str(tmp_path / "rules.yml"), str(tmp_path / "recorded.jsonl")]


# --- alert test


def test_recorded_data_tells_what_would_have_fired(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["alert", "test", *files]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "2026-01-01T00:00:00.000Z FIRING   hot a: a: t is 81, above 80",
        "2026-01-01T00:00:01.000Z RESOLVED hot a: a: t is 80, no longer above 80",
        "2026-01-01T00:01:10.000Z FIRING   quiet a: a: not heard for 1m 8s",
        "hot: 1 raised, 1 resolved, 0 still firing, 1 late events",
        "quiet: 1 raised, 0 resolved, 1 still firing",
    ]


@pytest.mark.parametrize("number", [0, 1])
def test_a_file_that_is_not_there_is_refused(files: list[str], number: int, capsys: pytest.CaptureFixture[str]) -> None:
    files[number] += "x"
    assert main(["alert", "test", *files]) == 2
    assert capsys.readouterr().err.startswith(f"{files[number]}: it can't be read: No such file")


def test_wrong_recorded_data_is_refused_before_anything_is_told(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with open(files[1], "a") as file:
        file.write("{}\n")
    assert main(["alert", "test", *files]) == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"{files[1]}:14: it is no record: `partition` has to be a whole number from 0\n")


def test_no_records_fire_nothing(files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").touch()
    assert main(["alert", "test", files[0], str(tmp_path / "empty")]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "hot: 0 raised, 0 resolved, 0 still firing"


def test_a_partition_is_taken_in_the_order_of_its_offsets() -> None:
    """Even where the clock of the next leader is behind."""
    value = [json.dumps({"t": t}).encode() for t in (81, 80)]
    records = [Record("telemetry", 0, offset, START_MS - offset, "a", value[offset]) for offset in (1, 0)]
    assert told(list(replay.replay(engine_of(RULES), records))) == ["FIRING a 0", "RESOLVED a 0"]


@pytest.mark.parametrize(
    ("sent", "states"),
    [
        ([(0, "a"), (60, "b"), (60.4, "a"), (61, "b")], ["FIRING", "RESOLVED"]),  # it is over before somebody looks
        ([(0, "a"), (60, "b"), (60.4, "b")], ["FIRING"]),  # it lasts to the newest record
        ([(0, "a"), (59, "b"), (60, "b")], []),
    ],
)
def test_a_silence_is_found_to_the_millisecond(sent: list[tuple[float, str]], states: list[str]) -> None:
    bench = Bench(RULES)
    records = [bench.record(at, {}, device) for at, device in sent]
    assert [each.state.value for each in replay.replay(engine_of(RULES), records)] == states


# --- alert check


def test_rules_are_told_in_words(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["alert", "check", files[0]]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "hot (warning): t above 80, until 80 or less; topics telemetry; devices *",
        "quiet (critical): not heard for more than 1m; topics telemetry; devices *",
    ]


def test_a_mistake_is_told_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rules.yml").write_text("rules:\n  - name: a\n    silence: {afer: 1m}\n")
    for command in (["check"], ["test"]):
        extra = [str(tmp_path / "recorded")] * (command == ["test"])
        assert main(["alert", *command, str(tmp_path / "rules.yml"), *extra]) == 2
        assert f"{tmp_path}/rules.yml:3: rules[0].silence.afer: there is no such key; did you mean `after`?" in (
            capsys.readouterr().err
        )


# --- alert record


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--kafka", "pi1"], "'pi1' is no address; write HOST:PORT"),
        (["--kafka", "pi1:9092", "--topic", "a b"], "--topic: `a b` is no name of a Kafka topic"),
        (["--kafka", "pi1:9092", "--since", "1"], "--since: '1' is not a duration"),
    ],
)
def test_a_wrong_command_is_refused(options: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["alert", "record", *options]) == 2
    assert why in capsys.readouterr().err


# --- recorded data


RECORD = Record("t", 1, 2, 3, "pi", b'{"x": "\xc3\xa9"}', [("a", b"1"), ("b", b"\xff")])


@pytest.mark.parametrize("value", [b"", b"text\n", b"\xff\x00", '"é'.encode()])
def test_what_is_written_is_read(value: bytes, tmp_path: Path) -> None:
    record = RECORD._replace(value=value)
    (tmp_path / "file").write_text(f"{recorded.line_of(record)}\n")
    assert list(recorded.read(tmp_path / "file")) == [record]


def test_a_line_is_json_with_text_where_it_is_text() -> None:
    assert json.loads(recorded.line_of(RECORD)) == {
        **dict(zip(("topic", "partition", "offset", "timestamp", "key"), RECORD[:5], strict=True)),
        "value": '{"x": "é"}',
        "headers": {"a": "1", "b": {"base64": "/w=="}},
    }


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"topic": None}, "`topic` has to be a text"),
        ({"topic": ""}, "it has no `topic`"),
        ({"partition": "0"}, "`partition` has to be a whole number from 0"),
        ({"offset": -1}, "`offset` has to be a whole number from 0"),
        ({"timestamp": True}, "`timestamp` has to be a whole number from 0"),
        ({"timestamp": 1.5}, "`timestamp` has to be a whole number from 0"),
        ({"key": 1}, "`key` has to be a text"),
        ({"headers": []}, "`headers` has to be a JSON object"),
        ({"headers": {"a": 1}}, '`headers.a` has to be a text, or {"base64": "..."}'),
        ({"value": {}}, "`value` has to be a text"),
        ({"value": {"base64": "?"}}, "`value` is no base64"),
        ({"ofset": 1}, "there is no key `ofset`; known are headers, key"),
    ],
)
def test_a_line_that_is_no_record_is_refused(changes: dict[str, Any], why: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    line = recorded.line_of(RECORD)
    file.write_text(f"{line}\n{json.dumps({**json.loads(line), 'offset': 9, **changes})}\n")
    with pytest.raises(RecordedError) as refused:
        list(recorded.read(file))
    assert str(refused.value).startswith(f"{file}:2: it is no record: {why}")


@pytest.mark.parametrize("line", [b"{", b"[]", b"\xff", b"", b"[" * 100_000])
def test_a_line_that_is_no_json_object_is_refused(line: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(line + b"\n")
    with pytest.raises(RecordedError, match="file:1: it is no record: "):
        list(recorded.read(tmp_path / "file"))


def test_a_record_that_was_there_before_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text(f"{recorded.line_of(RECORD)}\n" * 2)
    with pytest.raises(RecordedError, match="file:2: line 1 has the same topic, partition and offset"):
        list(recorded.read(tmp_path / "file"))
