"""The time of an event, and the values that count."""

from __future__ import annotations

import pytest
from raspi_kafka.alert import event
from raspi_kafka.alert.span import span

from tests.unit.edge.alerting import START_MS, Bench

S = START_MS // 1000
LATE = "[{name: hot, threshold: {field: t, above: 80}}]"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (S, START_MS),
        (S + 0.25, START_MS + 250),
        (START_MS, START_MS),
        (START_MS * 1000 + 999, START_MS),
        (START_MS * 1_000_000 + 999_999, START_MS),
        (0, 0),
        (str(S), START_MS),
        ("2026-01-01T00:00:00Z", START_MS),
        ("2026-01-01 00:00:00", START_MS),
        ("2026-01-01T00:00", START_MS),
        ("2026-01-01T01:30:00.5+01:30", START_MS + 500),
        ("2025-12-31T23:00:00,1234567-0100", START_MS + 123),
        ("2026-01-01t02:00:00.25+02", START_MS + 250),
        ("2026-02-30T00:00:00Z", None),
        ("2026-01-01T00:00:00+99:99", None),
        ("yesterday", None),
        ("nan", None),
        (True, None),
        (None, None),
        ([S], None),
        (float("inf"), None),
        (float("nan"), None),
        (-1, None),
        (-1e307, None),
        (1e20, None),
        ("0001-01-01T00:00:00+23:59", -62_135_683_140_000),
        (10**400, None),
    ],
)
def test_a_time_is_read(said: object, expected: int | None) -> None:
    assert event.milliseconds(said) == expected


def test_the_first_field_with_a_time_counts_and_then_the_header() -> None:
    headers = [("mqtt.topic", b"x"), ("mqtt.time", str(S).encode())]
    fields = ("timestamp", "ts")
    assert event.said_ms({"ts": S + 1, "timestamp": S + 2}, headers, fields) == START_MS + 2000
    assert event.said_ms({"ts": S + 1, "timestamp": "soon"}, headers, fields) == START_MS + 1000
    assert event.said_ms({"other": S + 1}, headers, fields) == START_MS
    assert event.said_ms({}, [("mqtt.time", b"\xff")], fields) is None
    assert event.said_ms({}, None, fields) is None


@pytest.mark.parametrize("value", [b"", b"{", b"\xff", b"[1]", b"1", b'"t"', b"[" * 100_000])
def test_what_is_no_json_object_has_no_values(value: bytes) -> None:
    assert event.payload_of(value) == {}


def test_what_is_true_is_one_and_what_is_false_is_zero() -> None:
    bench = Bench("[{name: leak, threshold: {field: t, above: 0}}]")
    assert bench.send(0, {"t": False}) == []
    assert bench.send(1, {"t": True}) == ["FIRING pi 1"]
    assert bench.send(2, {"t": False}) == ["RESOLVED pi 1"]


@pytest.mark.parametrize("value", ["null", '"81"', "NaN", "Infinity", "1e999", "[81]", "{}", "1" + "0" * 400])
def test_what_is_no_number_is_no_evidence(value: str) -> None:
    bench = Bench(LATE)
    assert bench.send(0, b'{"t": %s}' % value.encode()) == []
    assert bench.send(1, {"t": 81}) == ["FIRING pi 1"]
    assert bench.send(2, b'{"t": %s}' % value.encode()) == []
    assert bench.send(3, {"t": 80}) == ["RESOLVED pi 1"]


def test_a_field_may_be_a_path() -> None:
    bench = Bench("[{name: hot, threshold: {field: a.b, above: 80}}]")
    assert bench.send(0, {"a": 81, "b": 81, "a.b": 81}) == []
    assert bench.send(1, {"a": {"b": 81}}) == ["FIRING pi 1"]


WHATEVER = (
    *("null", "true", '""', '"x"', "[]", "{}", "0", "-0.0", "1e-320", "1e308", "-1e307", "1e309", "NaN", "-Infinity"),
    *("9" * 400, "9" * 5000, '"9999-12-31T23:59:59Z"', '"0001-01-01"', '"\\ud800"', '{"a": {"b": 1e308}}', "[" * 2000),
)


@pytest.mark.parametrize("said", WHATEVER)
def test_nothing_that_a_device_says_stops_the_others(said: str) -> None:
    """A payload is a device's own; every kind of rule reads both of its fields, more than once."""
    kinds = (
        "threshold: {field: t, above: 80}",
        "threshold: {field: a.b, below: -1}",
        "rate: {field: t, changes: 5, within: 1m}",
        "clock: {off_by: 30s, for: 0s}",
        "silence: {after: 1m}",
    )
    bench = Bench("\n".join(f"- {{name: r{number}, {kind}}}" for number, kind in enumerate(kinds)))
    for other in WHATEVER:
        for at, value in enumerate((said, other, said)):
            bench.send(at, b'{"t": %s, "a": %s, "ts": %s, "bye": %s}' % ((value.encode(),) * 4))
            bench.send(at, b'{"t": %s, "ts": %s}' % (value.encode(), other.encode()), "b")
    bench.restart()
    bench.look(1000)
    assert bench.send(2000, {"t": 81}, "c") == ["FIRING c 126"]


# --- which time is believed: what the threshold finds out of order, or not at all, tells


def since(bench: Bench, at: float, said: object) -> float | None:
    """When an alert began by the device's time, in seconds; None if the record was not judged."""
    (*_before, alert) = [None, *bench.engine.take(bench.record(at, {"t": 81, "timestamp": said}, device=f"d{at}"))]
    return alert and (alert.since_ms - START_MS) / 1000


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (S + 90, 90),  # the device's own
        (S + 160, 160),  # ahead, but within the limit
        (S + 161, 100),  # too far ahead
        (S - 200, -200),  # as late as it may be
        (S - 201, None),  # late
        (1_704_067_199, 100),  # without a clock
        ("unknown", 100),
    ],
)
def test_the_time_that_is_believed(said: object, expected: float | None) -> None:
    assert since(Bench(LATE), 100, said) == expected


def test_late_events_are_counted_by_rule() -> None:
    bench = Bench("[{name: hot, threshold: {field: t, above: 80}}, {name: gone, silence: {after: 1m}}]")
    assert bench.send(0, {"t": 81, "timestamp": S - 301}) == []
    assert dict(bench.engine.late) == {"hot": 1}


def test_a_clock_that_stays_behind_is_wrong_and_append_time_is_used() -> None:
    bench = Bench(LATE)
    for at in range(0, 61, 10):
        assert bench.send(at, {"t": 81, "timestamp": S + at - 3600}) == []
    assert bench.send(61, {"t": 81, "timestamp": S + 61 - 3600}) == ["FIRING pi 7"]


def test_messages_that_were_kept_catch_up_and_are_no_wrong_clock() -> None:
    """A minute of a backlog of an hour, sent ten times as fast as it was made."""
    bench = Bench(LATE)
    for at in range(200):
        assert bench.send(at, {"t": 81, "timestamp": S - 3600 + 10 * at}) == []
    assert bench.send(400, {"t": 70, "timestamp": S + 400}) == []


def test_a_clock_that_was_wrong_is_believed_once_it_is_right() -> None:
    bench = Bench(LATE)
    for at in (0, 100, 110):
        bench.send(at, {"t": 70, "timestamp": S + at - 3600})
    bench.send(120, {"t": 70, "timestamp": S + 120})
    assert bench.send(130, {"t": 81, "timestamp": S + 130 - 3600}) == []


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [
        (0, "0s"),
        (500, "0.5s"),
        (60_000, "1m"),
        (65_400, "1m 5s"),
        (-5_000, "5s"),
        (90_061_000, "1d 1h"),
        (604_800_000, "7d"),
    ],
)
def test_spans_in_words(milliseconds: int, words: str) -> None:
    assert span(milliseconds) == words
