"""The engine: which rules are for whom, what alerts say, and what outlasts the process."""

from __future__ import annotations

import json

import pytest
from raspi_kafka.alert.alert import FLEET
from raspi_kafka.alert.sight import Seen, Sight
from raspi_kafka.alert.stored import StateError

from tests.unit.edge.alerting import START_MS, Bench, engine_of

S = START_MS // 1000
HOT = "{name: hot, threshold: {field: t, above: 80}}"
QUIET = "{name: quiet, silence: {after: 1m}}"


# --- which rules are for whom


def test_a_rule_is_for_its_devices_and_topics() -> None:
    bench = Bench("[{name: hot, topics: [x], devices: [a*, B], except: [ab*], threshold: {field: t, above: 80}}]")
    heard = [bench.send(0, {"t": 81}, device, topic="x") for device in ("a1", "B", "b", "abc", "")]
    assert heard == [["FIRING a1 0"], ["FIRING B 1"], [], [], []]
    assert bench.send(0, {"t": 81}, "a2", topic="telemetry") == []


def test_a_device_is_one_of_each_topic() -> None:
    bench = Bench("[{name: hot, topics: [x, y], threshold: {field: t, above: 80}}]")
    assert bench.send(0, {"t": 81}, topic="x") == ["FIRING pi 0"]
    assert bench.send(1, {"t": 70}, topic="y") == []
    assert bench.send(2, {"t": 81}, topic="y") == ["FIRING pi 1"]


def test_a_device_may_move_to_another_partition() -> None:
    bench = Bench(f"[{QUIET}]")
    bench.send(0, {}, partition=0)
    bench.send(1, {}, partition=1)
    assert bench.look(100, partition=0) == []
    assert bench.look(100, partition=1) == ["FIRING pi 0"]


# --- what alerts say


def test_the_end_says_what_the_beginning_said() -> None:
    bench = Bench(f"[{HOT}]")
    (begin,) = bench.engine.take(bench.record(5, {"t": 81.5}))
    (end,) = bench.engine.take(bench.record(6, {"t": 79}))
    assert begin.id == end.id == "hot/pi/telemetry-0-0"
    assert (begin.summary, end.summary) == ("pi: t is 81.5, above 80", "pi: t is 79, no longer above 80")
    assert (begin.since_ms, begin.decided_ms, end.decided_ms) == (*[START_MS + 5000] * 2, START_MS + 6000)
    assert begin._replace(state=end.state, decided_ms=end.decided_ms, summary=end.summary) == end


def test_a_summary_of_ones_own() -> None:
    summary = "{{x}} {rule}: {device} at {value} of {limit}"
    bench = Bench(f"[{{name: hot, summary: '{summary}', threshold: {{field: t, above: 80}}}}]")
    (alert,) = bench.engine.take(bench.record(0, {"t": 80 + 0.1 + 0.2}, "a{b}"))
    assert alert.summary == "{x} hot: a{b} at 80.3 of 80"


def test_what_is_firing_is_counted() -> None:
    bench = Bench(f"[{HOT}, {QUIET}]")
    bench.send(0, {"t": 81}, "a")
    bench.send(0, {"t": 81}, "b")
    bench.send(1, {"t": 70}, "b")
    assert dict(bench.engine.firing) == {("hot", "warning"): 1, ("quiet", "warning"): 0}


# --- what outlasts the process


def test_only_what_has_changed_is_to_be_stored() -> None:
    bench = Bench(f"[{HOT}, {QUIET}]")
    assert set(bench.engine.take_changed()) == {"rule/hot", "rule/quiet"}
    bench.send(0, {"t": 1}, "a/b")
    bench.send(0, {"t": 1}, "c")
    assert set(bench.engine.take_changed()) == {"device/telemetry/a/b", "device/telemetry/c"}
    assert bench.engine.take_changed() == {}
    bench.look(100)
    assert set(bench.engine.take_changed()) == {"device/telemetry/a/b", "device/telemetry/c"}


def test_nothing_is_stored_of_a_device_without_rules() -> None:
    bench = Bench("[{name: quiet, devices: [a], silence: {after: 1m}}]")
    bench.engine.take_changed()
    bench.send(0, {}, "b")
    assert bench.engine.take_changed() == {}


@pytest.mark.parametrize(
    "rule",
    [
        HOT,
        "{name: hot, per: fleet, threshold: {field: t, above: 80}}",
        "{name: hot, topics: [telemetry], dead_letters: {more_than: 0, within: 1h}}",
    ],
)
def test_an_episode_outlasts_the_process(rule: str) -> None:
    bench = Bench(f"[{rule}]")
    (begin,) = bench.engine.take(bench.record(0, {"t": 81}))
    assert bench.restart() == []
    assert dict(bench.engine.firing) == {("hot", "warning"): 1}
    assert bench.send(1, {"t": 82}) == []
    (end,) = [
        *bench.engine.take(bench.record(2, {"t": 70})),
        *bench.engine.known("telemetry", 0, Sight(Seen(0, START_MS + 4_000_000, int), {})),
    ]
    assert end.id == begin.id


def test_an_unchanged_state_is_not_stored_again() -> None:
    bench = Bench(f"[{HOT}, {QUIET}]")
    bench.send(0, {"t": 81})
    bench.restart()
    assert bench.engine.take_changed() == {}


@pytest.mark.parametrize(
    "after",
    [
        QUIET,
        "{name: hot, threshold: {field: other, above: 80}}",
        "{name: hot, threshold: {field: t, below: 80}}",
        "{name: hot, rate: {field: t, rises: 80, within: 1m}}",
        "{name: hot, except: [pi], threshold: {field: t, above: 80}}",
        "{name: hot, per: fleet, threshold: {field: t, above: 80}}",
        "{name: hot, topics: [other], threshold: {field: t, above: 80}}",
    ],
)
def test_an_episode_ends_with_its_rule(after: str) -> None:
    bench = Bench(f"[{HOT}]")
    (begin,) = bench.engine.take(bench.record(0, {"t": 81}))
    bench.send(5, {"t": 81})
    assert bench.restart(f"[{after}]") == ["RESOLVED pi 0"]
    assert sum(bench.engine.firing.values()) == 0
    assert bench.restart() == [], "it is told once"
    assert begin.id == "hot/pi/telemetry-0-0"


def test_the_end_of_a_rule_is_that_of_the_last_record() -> None:
    bench = Bench("[{name: hot, severity: critical, threshold: {field: t, above: 80}}]")
    bench.send(0, {"t": 81})
    bench.send(5, {"t": 81})
    after = engine_of(f"[{QUIET}]")
    for key, value in bench.engine.take_changed().items():
        after.load(key, value or b"")
    (end,) = after.loaded()
    assert (end.severity, end.decided_ms) == ("critical", START_MS + 5000)
    assert end.summary == "pi: hot ends, the rules were changed"


def test_an_episode_outlasts_a_change_of_the_limits() -> None:
    bench = Bench(f"[{HOT}]")
    bench.send(0, {"t": 81})
    assert bench.restart("[{name: hot, severity: info, threshold: {field: t, above: 90, clear: 60}}]") == []
    assert dict(bench.engine.firing) == {("hot", "info"): 0, ("hot", "warning"): 1}
    assert bench.send(1, {"t": 61}) == []
    (end,) = bench.engine.take(bench.record(2, {"t": 60}))
    assert end.severity == "warning", "as it began"


def test_a_silence_outlasts_a_change_of_its_limit() -> None:
    bench = Bench(f"[{QUIET}]")
    bench.send(0, {})
    assert bench.look(61) == ["FIRING pi 0"]
    assert bench.restart("[{name: quiet, silence: {after: 5m}}]") == []
    assert bench.look(1000) == []
    assert bench.send(1001, {}) == ["RESOLVED pi 0"]


@pytest.mark.parametrize(
    ("after", "ends"),
    [
        ("{name: hot, per: fleet, at_least: 2, threshold: {field: t, above: 80}}", True),
        ("{name: hot, per: fleet, except: [b], threshold: {field: t, above: 80}}", False),
        ("{name: hot, per: fleet, except: ['*'], threshold: {field: t, above: 80}}", True),
        (QUIET, True),
    ],
)
def test_the_episode_of_a_fleet_ends_with_its_members_or_its_rule(after: str, ends: bool) -> None:
    bench = Bench("[{name: hot, per: fleet, threshold: {field: t, above: 80}}]")
    assert bench.send(0, {"t": 81}) == [f"FIRING {FLEET} 0"]
    assert bench.restart(f"[{after}]") == ([f"RESOLVED {FLEET} 0"] if ends else [])
    assert bench.restart() == []


def test_nothing_is_kept_of_rules_and_devices_that_are_gone() -> None:
    bench = Bench(f"[{HOT}, {{name: b, topics: [other], silence: {{after: 1m}}}}]")
    bench.send(0, {"t": 81}, "a")
    bench.send(0, {"t": 81}, "b", topic="other")
    bench.restart(f"[{HOT}]")
    assert bench.engine.take_changed() == {"rule/b": None, "device/other/b": None}


def test_what_a_device_has_said_of_itself_outlasts_the_process() -> None:
    bench = Bench(f"[{HOT}, {QUIET}]")
    bench.send(0, {"bye": True}, "a")
    for at in (0, 50):
        bench.send(at, {"timestamp": S + at - 3600}, "b")
    bench.restart()
    assert bench.look(100) == []
    assert bench.send(110, {"t": 81, "timestamp": S + 110 - 3600}, "b") == ["FIRING b 3"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("other/x", b"{}"),
        ("rule/x", b"{"),
        ("rule/x", b"[]"),
        ("rule/x", b'{"about": "x"}'),
        ("device/pi", b"{}"),
        ("device/telemetry/pi", b"{}"),
        ("device/telemetry/pi", b'{"last": [0, 1]}'),
        ("device/telemetry/pi", b'{"last": [0, 1, 2]}'),
        ("device/telemetry/pi", b'{"last": [0, 1, 2], "rules": {"gone": {"episode": [1, ["t", 0, 1], "info"]}}}'),
        ("device/telemetry/pi", b'{"last": [0, 1, 2], "rules": {"hot": {}}}'),
    ],
)
def test_a_state_that_is_none_is_refused(key: str, value: bytes) -> None:
    engine = engine_of(f"[{HOT}]")
    engine.load("rule/hot", json.dumps({"about": "threshold t above, device", "fleet": False}).encode())
    with pytest.raises(StateError, match=f"under the key {key} is none"):
        _ended = engine.load(key, value) or engine.loaded()
