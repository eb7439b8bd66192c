"""When rules fire, and when what is firing resolves."""

from __future__ import annotations

import pytest
from raspi_kafka.alert.alert import FLEET
from raspi_kafka.alert.sight import Seen, Sight

from tests.unit.edge.alerting import START_MS, Bench

S = START_MS // 1000


# --- threshold


def hot(said: str = "above: 80") -> Bench:
    return Bench(f"[{{name: hot, threshold: {{field: t, {said}}}}}]")


def test_a_threshold_fires_beyond_its_limit_and_once() -> None:
    bench = hot()
    assert [bench.send(at, {"t": t}) for at, t in enumerate((80, 80.1, 95, 80, 80.1))] == [
        [], ["FIRING pi 1"], [], ["RESOLVED pi 1"], ["FIRING pi 4"],
    ]  # fmt: skip


def test_it_resolves_at_its_clear_value() -> None:
    bench = hot("above: 80, clear: 75")
    assert bench.send(0, {"t": 81}) == ["FIRING pi 0"]
    assert bench.send(1, {"t": 75.1}) == []
    assert bench.send(2, {"t": 75}) == ["RESOLVED pi 0"]


def test_below_is_the_other_way_round() -> None:
    bench = hot("below: 5, clear: 8")
    assert bench.send(0, {"t": 5}) == []
    assert bench.send(1, {"t": 4.9}) == ["FIRING pi 1"]
    assert bench.send(2, {"t": 7.9}) == []
    assert bench.send(3, {"t": 8}) == ["RESOLVED pi 1"]


def test_it_has_to_last_and_begins_with_the_first_record() -> None:
    bench = hot("above: 80, for: 30s")
    assert [bench.send(at, {"t": 81}) for at in (0, 10, 29.999)] == [[], [], []]
    assert bench.send(30, {"t": 81}) == ["FIRING pi 0"]


def test_it_begins_anew_after_a_value_within_the_limit() -> None:
    bench = hot("above: 80, clear: 70, for: 30s")
    bench.send(0, {"t": 81})
    bench.send(10, {"t": 80})
    assert bench.send(20, {"t": 81}) == []
    assert bench.send(49, {"t": 81}) == []
    assert bench.send(50, {"t": 81}) == ["FIRING pi 2"]


def test_it_lasts_by_the_time_of_the_device() -> None:
    bench = hot("above: 80, for: 30s")
    assert bench.send(100, {"t": 81, "timestamp": S + 60}) == []
    (alert,) = bench.engine.take(bench.record(100.1, {"t": 82, "timestamp": S + 90}))
    assert (alert.since_ms, alert.decided_ms) == (START_MS + 60_000, START_MS + 100_100)


def test_an_older_event_that_was_within_the_limit_begins_it_anew_at_the_newest() -> None:
    bench = hot("above: 80, for: 30s")
    bench.send(0, {"t": 81})
    bench.send(20, {"t": 81})
    bench.send(21, {"t": 70, "timestamp": S + 10})
    assert bench.send(31, {"t": 81}) == []
    assert bench.send(50, {"t": 81}) == ["FIRING pi 1"]


def test_an_older_event_from_before_it_or_beyond_the_limit_changes_nothing() -> None:
    bench = hot("above: 80, for: 30s")
    bench.send(10, {"t": 81})
    bench.send(20, {"t": 81})
    bench.send(21, {"t": 70, "timestamp": S + 9})
    bench.send(22, {"t": 82, "timestamp": S + 15})
    assert bench.send(40, {"t": 81}) == ["FIRING pi 0"]


def test_an_older_event_neither_resolves_nor_fires() -> None:
    bench = hot()
    bench.send(10, {"t": 81})
    assert bench.send(11, {"t": 70, "timestamp": S + 9}) == []
    assert bench.send(12, {"t": 70}) == ["RESOLVED pi 0"]
    assert bench.send(13, {"t": 81, "timestamp": S + 11}) == []


def test_another_kind_of_message_does_not_make_an_event_old() -> None:
    bench = hot()
    bench.send(10, {"other": 1, "timestamp": S + 10})
    assert bench.send(11, {"t": 81, "timestamp": S + 5}) == ["FIRING pi 1"]


# --- rate


def jump(said: str) -> Bench:
    return Bench(f"[{{name: jump, rate: {{field: t, within: 1m, {said}}}}}]")


def test_a_rate_fires_when_a_value_has_moved_by_more_and_resolves_when_it_rests() -> None:
    bench = jump("rises: 5")
    assert [bench.send(at, {"t": t}) for at, t in ((0, 20), (20, 23), (40, 25), (50, 25.1))] == [
        [], [], [], ["FIRING pi 3"],
    ]  # fmt: skip
    assert bench.send(70, {"t": 25.6}) == []  # of 23, by more than half
    assert bench.send(80, {"t": 25.5}) == ["RESOLVED pi 3"]


def test_what_is_older_than_the_span_does_not_count() -> None:
    bench = jump("rises: 5")
    bench.send(0, {"t": 20})
    assert bench.send(60.001, {"t": 30}) == []
    assert bench.send(120.001, {"t": 36}) == ["FIRING pi 2"]


@pytest.mark.parametrize(
    ("way", "values", "fires"),
    [
        ("rises", (20, 10), False),
        ("falls", (20, 10), True),
        ("falls", (10, 20), False),
        ("changes", (10, 20), True),
        ("changes", (20, 10), True),
        ("changes", (20, 16), False),
    ],
)
def test_the_way_counts(way: str, values: tuple[float, float], fires: bool) -> None:
    bench = jump(f"{way}: 5")
    bench.send(0, {"t": values[0]})
    assert bench.send(1, {"t": values[1]}) == (["FIRING pi 1"] if fires else [])


def test_an_older_event_is_left_out() -> None:
    bench = jump("rises: 5")
    bench.send(10, {"t": 20})
    bench.send(11, {"t": 0, "timestamp": S + 9})
    assert bench.send(12, {"t": 21}) == []


def test_what_a_rate_keeps_is_bounded() -> None:
    bench = jump("changes: 50")
    for step in range(2000):
        bench.send(step / 20, {"t": step})
    (watch,) = bench.engine._topics["telemetry"].devices["pi"].watches
    assert 15 <= max(map(len, watch.lows)) <= 17  # a span touches a slot more than it is long


# --- silence


def quiet() -> Bench:
    return Bench("[{name: quiet, silence: {after: 1m}}]")


def test_a_device_that_is_not_heard_for_longer_is_silent_until_its_next_record() -> None:
    bench = quiet()
    bench.send(0, {})
    bench.send(1, {})
    assert bench.look(61) == []
    assert bench.look(61.001) == ["FIRING pi 1"]
    assert bench.look(200) == []
    assert bench.send(201, {}) == ["RESOLVED pi 1"]
    assert bench.look(202) == []


def test_a_look_at_another_partition_or_topic_says_nothing() -> None:
    bench = quiet()
    bench.send(0, {}, partition=1)
    assert bench.look(100, partition=0) == []
    assert bench.look(100, partition=1, topic="other") == []
    assert bench.look(100, partition=1) == ["FIRING pi 0"]


def test_the_time_of_a_stall_is_not_held_against_a_device() -> None:
    bench = quiet()
    bench.send(0, {})
    assert bench.look(30) == []
    assert bench.look(160, since=100) == []
    assert bench.look(160.001, since=100) == ["FIRING pi 0"]


def test_a_silence_that_is_over_is_found_by_the_next_look() -> None:
    bench = quiet()
    bench.send(0, {})
    bench.send(61, {})
    assert bench.look(60) == []
    assert bench.look(62) == ["FIRING pi 0", "RESOLVED pi 0"]
    assert bench.look(63) == []


def test_a_silence_that_is_over_is_judged_as_far_as_it_is_known() -> None:
    bench = quiet()
    bench.send(0, {})
    bench.send(100, {})
    assert bench.look(90, since=30) == []
    assert bench.look(90.001, since=30) == ["FIRING pi 0", "RESOLVED pi 0"]


def test_what_was_kept_on_its_way_was_sent_long_before_it_was_appended() -> None:
    bench = quiet()
    bench.send(0, {})
    bench.send(100, {})
    assert bench.look(101, late=41) == []
    bench.send(200, {})
    assert bench.look(201, late=39) == ["FIRING pi 1", "RESOLVED pi 1"]


def test_a_gap_in_which_nothing_could_be_sent_is_no_silence() -> None:
    bench = quiet()
    bench.send(0, {})
    bench.send(100, {})
    assert bench.look(101, since=50) == []
    assert bench.look(140, since=50) == []


def test_a_device_is_silent_if_the_gateway_is_known_through_which_it_speaks() -> None:
    bench = quiet()
    bench.send(0, {}, gateway="one")
    assert bench.look(100, gateways={"one": 60, "other": 100}) == []
    assert bench.look(10, gateways={"one": 61, "other": 10}) == ["FIRING pi 0"]


def test_where_it_speaks_through_is_known_by_the_next_process() -> None:
    bench = quiet()
    bench.send(0, {}, gateway="one")
    bench.restart()
    assert bench.look(100, gateways={"one": 60, "other": 100}) == []
    assert bench.look(10, gateways={"one": 61, "other": 10}) == ["FIRING pi 0"]


@pytest.mark.parametrize("way", [("one", "other"), ("one", ""), ("", "one")])
def test_a_silence_between_two_gateways_is_known_once_all_are(way: tuple[str, str]) -> None:
    """What it sent meanwhile may wait at either of them."""
    bench = quiet()
    for at, gateway in zip((0, 100), way, strict=True):
        bench.send(at, {}, gateway=gateway)
    bench.send(101, {}, gateway=way[1])
    bench.restart()
    known = {"one": 110, "other": 110}
    assert bench.look(60, gateways=known) == []
    assert bench.look(102, gateways=known) == ["FIRING pi 0", "RESOLVED pi 0"]


def test_a_silence_that_has_been_told_is_not_found_again() -> None:
    bench = quiet()
    bench.send(0, {})
    assert bench.look(61) == ["FIRING pi 0"]
    assert bench.send(62, {}) == ["RESOLVED pi 0"]
    assert bench.look(63) == []


def test_who_says_bye_is_not_silent_until_its_next_message() -> None:
    bench = quiet()
    bench.send(0, {"bye": True})
    assert bench.look(100) == []
    bench.send(101, {"bye": False})
    assert bench.look(102) == []
    assert bench.look(162) == ["FIRING pi 1"]


@pytest.mark.parametrize("value", [b'{"bye": 1}', b'{"bye": "true"}', b'{"x": {"bye": true}}', b'"bye"', b'{"bye"'])
def test_what_is_no_bye(value: bytes) -> None:
    bench = quiet()
    bench.send(0, value)
    assert bench.look(100) == ["FIRING pi 0"]


def test_the_start_of_a_silence_is_the_last_record() -> None:
    bench = quiet()
    bench.send(7, {})
    (alert,) = bench.engine.known("telemetry", 0, Sight(Seen(START_MS, START_MS + 80_000, int), {}))
    assert (alert.since_ms, alert.decided_ms) == (START_MS + 7000, START_MS + 80_000)
    assert alert.id == "quiet/pi/telemetry-0-0"
    assert alert.summary == "pi: not heard for 1m 13s"


# --- forget


def test_a_device_that_is_not_heard_for_long_is_forgotten_with_all_that_fires() -> None:
    rules = "[{name: hot, threshold: {field: t, above: 80}}, {name: quiet, silence: {after: 1m}}]"
    bench = Bench(f"{{forget: 1h, rules: {rules}}}")
    bench.send(0, {"t": 81})
    assert bench.look(3600) == ["FIRING pi 0"]
    bench.engine.take_changed()
    assert bench.look(3600.001) == ["RESOLVED pi 0", "RESOLVED pi 0"]
    assert bench.engine.take_changed() == {"device/telemetry/pi": None}
    assert set(bench.engine.firing.values()) == {0}
    assert bench.look(7200) == []


def test_a_device_is_forgotten_as_soon_as_one_of_its_rules_says() -> None:
    silent = "{name: quiet, devices: [p*], forget: 10m, silence: {after: 1m}}"
    bench = Bench(f"[{silent}, {{name: hot, threshold: {{field: t, above: 80}}}}]")
    bench.send(0, {"t": 81})
    bench.send(0, {"t": 81}, "other")
    assert bench.look(600) == ["FIRING pi 0"]
    assert bench.look(601) == ["RESOLVED pi 0", "RESOLVED pi 0"]


def test_nobody_is_forgotten_for_a_stall() -> None:
    bench = Bench("{forget: 1h, rules: [{name: hot, threshold: {field: t, above: 80}}]}")
    bench.send(0, {"t": 81})
    assert bench.look(7200, since=7000) == []
    assert bench.send(7201, {"t": 70}) == ["RESOLVED pi 0"]


# --- clock


def test_a_clock_is_wrong_if_it_stays_so() -> None:
    bench = Bench("[{name: clock, clock: {off_by: 30s, for: 1m}}]")
    bench.send(0, {"timestamp": S - 31})
    assert bench.send(59, {"timestamp": S + 59 + 31}) == []
    assert bench.send(60, {"timestamp": 1000}) == ["FIRING pi 0"]
    assert bench.send(70, {"no": "time"}) == []
    assert bench.send(80, {"timestamp": S + 80 - 30}) == ["RESOLVED pi 0"]


def test_a_clock_that_is_right_in_between_begins_anew() -> None:
    bench = Bench("[{name: clock, clock: {off_by: 30s, for: 1m}}]")
    bench.send(0, {"timestamp": S - 31})
    bench.send(50, {"timestamp": S + 50})
    assert bench.send(60, {"timestamp": S}) == []
    assert bench.send(120, {"timestamp": S}) == ["FIRING pi 2"]


def test_a_clock_is_judged_even_by_late_events() -> None:
    bench = Bench("[{name: clock, clock: {off_by: 30s, for: 0s}}]")
    (alert,) = bench.engine.take(bench.record(0, {"timestamp": S - 3600}))
    assert alert.summary == "pi: its clock is 1h behind"


# --- dead letters


def dead(said: str = "more_than: 2, within: 5m") -> Bench:
    return Bench(f"[{{name: dead, dead_letters: {{{said}}}}}]")


def letter(bench: Bench, at: float, device: str = "pi", partition: int = 0) -> list[str]:
    return bench.send(at, b"", device, topic="dead-letters", partition=partition)


def test_dead_letters_of_all_devices_are_counted_over_a_span() -> None:
    bench = dead()
    assert [letter(bench, at, f"d{at}") for at in (0, 10, 300, 310)] == [[], [], [], []]
    assert letter(bench, 311, "") == [f"FIRING {FLEET} 4"]
    assert letter(bench, 312) == []


def test_they_resolve_by_a_look_or_by_the_next_record() -> None:
    bench = dead()
    for at in (0, 1, 2):
        letter(bench, at)
    assert bench.look(299.999, topic="dead-letters") == []
    assert bench.look(300, topic="dead-letters") == [f"RESOLVED {FLEET} 2"]
    assert letter(bench, 301) == []
    assert letter(bench, 301.5) == [f"FIRING {FLEET} 4"]
    assert letter(bench, 1000) == [f"RESOLVED {FLEET} 4"]


def test_a_partition_that_is_behind_counts_by_its_own_time() -> None:
    bench = dead()
    letter(bench, 400)
    letter(bench, 401)
    assert letter(bench, 101, partition=1) == []
    assert letter(bench, 102, partition=1) == [f"FIRING {FLEET} 1"]


def test_dead_letters_may_be_counted_by_device() -> None:
    bench = Bench("[{name: dead, per: device, dead_letters: {more_than: 1, within: 5m}}]")
    assert [letter(bench, at, device) for at, device in enumerate("abab")] == [[], [], ["FIRING a 2"], ["FIRING b 3"]]
    assert bench.look(300, topic="dead-letters") == ["RESOLVED a 2"]
    assert bench.look(302, topic="dead-letters") == ["RESOLVED b 3"]


def test_other_devices_are_not_counted() -> None:
    bench = Bench("[{name: dead, devices: [a*], dead_letters: {more_than: 0, within: 5m}}]")
    assert letter(bench, 0, "b") == []
    assert letter(bench, 1, "ab") == [f"FIRING {FLEET} 1"]


# --- fleet


def test_a_fleet_fires_once_with_so_many_devices() -> None:
    bench = Bench("[{name: hot, per: fleet, at_least: 2, threshold: {field: t, above: 80}}]")
    assert bench.send(0, {"t": 81}, "a") == []
    assert bench.send(1, {"t": 82}, "a") == []
    assert bench.send(2, {"t": 81}, "b", partition=1) == [f"FIRING {FLEET} 0"]
    assert bench.send(3, {"t": 81}, "c") == []
    assert bench.send(4, {"t": 70}, "a") == []
    assert bench.send(5, {"t": 70}, "b", partition=1) == [f"RESOLVED {FLEET} 0"]
    assert dict(bench.engine.firing) == {("hot", "warning"): 0}


def test_the_episode_of_a_fleet_is_that_of_the_device_that_made_the_number_full() -> None:
    bench = Bench("[{name: hot, per: fleet, at_least: 2, threshold: {field: t, above: 80}}]")
    bench.send(0, {"t": 81}, "a", partition=3)
    (alert,) = bench.engine.take(bench.record(9, {"t": 81, "timestamp": S + 7}, "b", partition=5))
    assert alert.id == f"hot/{FLEET}/telemetry-5-0"
    assert (alert.since_ms, alert.decided_ms) == (START_MS + 7000, START_MS + 9000)
    assert alert.summary.startswith(f"{FLEET}: 2 devices of 2 that make an alert")


def test_a_device_counts_once_in_a_fleet_whatever_its_topics() -> None:
    bench = Bench("[{name: hot, topics: [x, y], per: fleet, at_least: 2, threshold: {field: t, above: 80}}]")
    assert bench.send(0, {"t": 81}, "a", topic="x") == []
    assert bench.send(1, {"t": 81}, "a", topic="y") == []
    assert bench.send(2, {"t": 70}, "a", topic="x") == []
    assert bench.send(3, {"t": 81}, "b", topic="x") == [f"FIRING {FLEET} 2"]


def test_who_is_forgotten_leaves_the_fleet() -> None:
    bench = Bench("{forget: 1h, rules: [{name: hot, per: fleet, threshold: {field: t, above: 80}}]}")
    assert bench.send(0, {"t": 81}) == [f"FIRING {FLEET} 0"]
    assert bench.look(3601) == [f"RESOLVED {FLEET} 0"]
