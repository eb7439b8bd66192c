from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.module_utils._growth import plan
from ansible_collections.raspi.kafka.plugins.module_utils._replicas import Cluster, Placed, Topic
from ansible_collections.raspi.kafka.plugins.module_utils._throttle import INHERITED, RATES, UNTOUCHED, Mark
from ansible_collections.raspi.kafka.plugins.modules import kafka_replicas
from ansible_collections.raspi.kafka.plugins.modules.kafka_replicas import (
    begin,
    check,
    check_factors,
    check_growth,
    finish,
    foreseen,
    grow,
    told,
    wish_of,
)

MIB = 1048576
MARK = Mark(frozenset({(0, 1)}), frozenset({(0, 2), (0, 3)}))
THEIRS = dict.fromkeys(RATES, "12345")


def params(*topics: dict[str, Any], **other: Any) -> dict[str, Any]:
    numbers = {"replication_factor": 3, "throttle": 5 * MIB, "patience": 600, "limit": 86400}
    named = [{"replication_factor": None, **topic} for topic in topics or ({"name": "a"},)]
    return {"topics": named, "brokers": [1, 2, 3], "request_timeout_ms": 1000, **numbers, **other}


def topic(*replicas: int, min_isr: int = 1, own: bool = False, mark: Mark | None = None, **more: Any) -> Topic:
    """A topic of one partition."""
    placed = Placed(replicas[0], replicas, frozenset(replicas))
    more = {"internal": False, "is_foreign": False, **more}
    return Topic(partitions={0: placed}, min_isr=min_isr, has_min_isr=own, mark=mark, **more)


def cluster(**topics: Topic) -> Cluster:
    sizes = {(broker, name, 0): MIB for name, one in topics.items() for broker in one.partitions[0].replicas}
    return Cluster(
        fenced=dict.fromkeys((1, 2, 3), False),
        topics=topics,
        sizes=sizes,
        free=dict.fromkeys((1, 2, 3), 10 * MIB),
        rates={broker: {} for broker in (1, 2, 3)},
    )


def refused(found: Cluster, given: dict[str, Any]) -> list[str]:
    return check_growth(plan(found, wish_of(given, found)), found)


# --- what is refused


@pytest.mark.parametrize(
    ("name", "value"),
    [("throttle", 1023), ("patience", 0), ("patience", 86401), ("limit", 0), ("replication_factor", 0)],
)
def test_an_option_has_limits(name: str, value: int) -> None:
    (sentence,) = check(params(**{name: value}))
    assert sentence.startswith(f"{name} is {value}. Choose ")
    assert check(params()) == []


def test_a_topic_is_declared_once() -> None:
    assert check(params({"name": "a"}, {"name": "b"}, {"name": "a"})) == [
        "Topic a is declared more than once: keep one."
    ]


def test_more_replicas_than_brokers_are_refused() -> None:
    given = params({"name": "a", "replication_factor": 4}, {"name": "b", "replication_factor": 3})
    assert check_factors(given, (1, 2, 3)) == [
        "Topic a shall have 4 replicas, and there are 3 brokers: declare 3 at most, or add brokers."
    ]
    assert [sentence.split(" shall")[0] for sentence in check_factors(params(), (1, 2))] == ["Each other topic"]
    assert check_factors(params(), (1, 2, 3)) == []


def test_less_than_one_replica_is_refused() -> None:
    assert check_factors(params({"name": "a", "replication_factor": 0}), (1, 2, 3)) == [
        "Topic a declares replication_factor: 0. Declare at least 1, or leave it out."
    ]


def test_a_topic_that_somebody_else_throttles_is_refused() -> None:
    (sentence,) = refused(cluster(a=topic(1, is_foreign=True)), params())
    assert sentence.startswith("Topic a is throttled by somebody else")
    assert refused(cluster(a=topic(1), b=topic(1, is_foreign=True)), params()) == []


def test_a_broker_that_somebody_else_throttles_is_refused_where_something_is_to_copy() -> None:
    found = replace(cluster(a=topic(1)), rates={1: {}, 2: THEIRS, 3: {}})
    (sentence,) = refused(found, params())
    assert sentence.startswith("Broker 2 is throttled by somebody else")
    there = replace(found, topics={"a": topic(1, 2, 3)})
    assert refused(there, params()) == []


def test_a_throttle_beside_a_mark_is_our_own() -> None:
    found = replace(cluster(a=topic(1), b=topic(1, 2, 3, mark=MARK)), rates={1: THEIRS, 2: THEIRS, 3: THEIRS})
    assert refused(found, params({"name": "a"}, {"name": "b"})) == []


def test_a_disk_that_has_no_room_for_its_copies_is_refused() -> None:
    found = replace(cluster(a=topic(1)), free={1: 0, 2: MIB * 10 // 9, 3: MIB * 10 // 9 + 2})
    assert refused(found, params()) == [
        "Broker 2 would copy 1.0 MiB, and its disk has 1.1 MiB left, of which a tenth has to stay free."
    ]


def test_what_copies_under_way_lack_takes_room_too() -> None:
    """An interrupted run had let a move to broker 3, of which half is there."""
    moves = Placed(1, (1, 2, 3), frozenset({1, 2}), frozenset({3}))
    half = topic(1, 2, 3, mark=Mark(frozenset({(0, 1)}), frozenset({(0, 3)})))
    found = cluster(a=replace(half, partitions={0: moves}), b=topic(1))
    found = replace(found, sizes={**found.sizes, (3, "a", 0): MIB // 2}, free={1: MIB, 2: 10 * MIB, 3: 3 * MIB // 2})
    (sentence,) = refused(found, params({"name": "a"}, {"name": "b"}))
    only_goes_on = replace(found, topics={"a": found.topics["a"]}, free=dict.fromkeys((1, 2, 3), 0))
    assert refused(only_goes_on, params()) == [], "what is begun already is not stopped by a refusal"
    assert sentence.startswith("Broker 3 would copy 1.5 MiB, and its disk has 1.5 MiB left")
    assert refused(replace(found, free={**found.free, 3: 2 * MIB}), params({"name": "a"}, {"name": "b"})) == []


# --- what is wished


def test_kafkas_own_topics_are_among_them_and_a_declared_number_wins() -> None:
    found = cluster(__consumer_offsets=topic(1, internal=True), other=topic(1))
    given = params({"name": "a", "replication_factor": 2}, {"name": "b"})
    assert wish_of(given, found).aims == {"a": 2, "b": 3, "__consumer_offsets": 3}


def test_without_brokers_all_that_are_registered_are_meant() -> None:
    assert wish_of(params(brokers=[]), cluster()).brokers == (1, 2, 3)


def test_in_a_dry_run_a_broker_that_is_to_come_counts() -> None:
    alone = replace(cluster(a=topic(1)), fenced={1: False}, free={1: 0})
    wish = wish_of(params(), alone)
    assert plan(alone, wish).waiting
    assert not plan(foreseen(alone, wish), wish).waiting
    assert check_growth(plan(foreseen(alone, wish), wish), foreseen(alone, wish)) == []


def test_in_a_dry_run_a_broker_that_is_down_does_not_count() -> None:
    down = replace(cluster(a=topic(1)), fenced={1: False, 2: False, 3: True})
    wish = wish_of(params(), down)
    assert plan(foreseen(down, wish), wish).waiting


# --- what is told


def test_a_min_insync_replicas_that_was_lowered_is_told_as_it_will_be() -> None:
    found = cluster(
        own=topic(1, internal=True, own=True, min_isr=1),
        lowered=topic(1, internal=True, own=True, min_isr=1, mark=replace(MARK, min_isr=2)),
        inherited=topic(1, internal=True, own=True, min_isr=1, mark=replace(MARK, min_isr=INHERITED)),
        none=topic(1, internal=True),
        declared=topic(1, own=True),
    )
    wish = wish_of(params(), found)
    result = told(found, plan(found, wish), wish, params())
    assert result["own_min_insync_replicas"] == {"own": 1, "lowered": 2}


def test_what_is_not_declared_and_has_fewer_replicas_is_named() -> None:
    found = cluster(a=topic(1), thin=topic(1), thick=topic(1, 2, 3), own=topic(1, internal=True))
    wish = wish_of(params(), found)
    assert told(found, plan(found, wish), wish, params())["left_alone"] == ["thin"]


def test_where_a_topic_waits_it_is_not_complete() -> None:
    down = replace(cluster(a=topic(1)), fenced={1: False, 2: False, 3: True})
    wish = wish_of(params(), down)
    result = told(down, plan(down, wish), wish, params())
    assert (result["complete"], result["waiting_topics"], result["changed"]) == (False, ["a"], False)


# --- the order of what is written


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What is written, in its order; the cluster that is looked at is in the last item of the answer."""
    written: list[tuple[str, Any]] = []
    for name in ("set_topics", "move"):
        monkeypatch.setattr(
            kafka_replicas, name, lambda _admin, what, *_more, name=name: written.append((name, dict(what)))
        )
    monkeypatch.setattr(
        kafka_replicas,
        "set_rates",
        lambda _admin, brokers, rate: written.append(("set_rates", (list(brokers), rate))),
    )
    monkeypatch.setattr(kafka_replicas, "elect", lambda *_all: written.append(("elect", None)))
    return written


def test_marks_come_first_and_moves_last(calls: list[tuple[str, Any]]) -> None:
    found = cluster(a=topic(1))
    growth = plan(found, wish_of(params(), found))
    begin(None, found, growth, params())  # type: ignore[arg-type]
    assert [name for name, _what in calls] == ["set_topics", "set_rates", "move"]
    assert calls[1][1] == ([1, 2, 3], 5 * MIB)


def test_brokers_that_are_throttled_so_already_are_left_as_they_are(calls: list[tuple[str, Any]]) -> None:
    found = replace(cluster(a=topic(1)), rates={1: dict.fromkeys(RATES, str(5 * MIB)), 2: THEIRS, 3: {}})
    begin(None, found, plan(found, wish_of(params(), found)), params())  # type: ignore[arg-type]
    assert calls[1] == ("set_rates", ([2, 3], 5 * MIB))


def test_where_only_the_end_is_left_nobody_is_throttled_anew(calls: list[tuple[str, Any]]) -> None:
    found = cluster(a=topic(1, 2, 3, mark=MARK))
    begin(None, found, plan(found, wish_of(params(), found)), params())  # type: ignore[arg-type]
    assert "set_rates" not in [name for name, _what in calls]


def test_leaders_come_first_and_marks_go_last(calls: list[tuple[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    found = replace(cluster(a=topic(1, 2, 3, mark=MARK)), rates={1: THEIRS, 2: {}, 3: THEIRS})
    looks = iter([found, cluster(a=topic(1, 2, 3))])
    monkeypatch.setattr(kafka_replicas, "look", lambda _admin: next(looks))
    assert finish(None, plan(found, wish_of(params(), found)), params())  # type: ignore[arg-type]
    assert [name for name, _what in calls] == ["elect", "set_rates", "set_topics"]
    assert calls[1][1] == ([1, 3], None)
    assert MARK.min_isr == UNTOUCHED
    assert calls[2][1] == {
        "a": {"leader.replication.throttled.replicas": None, "follower.replication.throttled.replicas": None}
    }


def test_where_nothing_was_copied_a_throttle_is_of_somebody_else_and_stays(
    calls: list[tuple[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    turned = Mark(frozenset({(0, 1)}), frozenset())
    found = replace(cluster(a=topic(1, 2, 3, mark=turned)), rates={1: THEIRS, 2: {}, 3: THEIRS})
    looks = iter([found, cluster(a=topic(1, 2, 3))])
    monkeypatch.setattr(kafka_replicas, "look", lambda _admin: next(looks))
    finish(None, plan(found, wish_of(params(), found)), params())  # type: ignore[arg-type]
    assert ("set_rates", ([], None)) in calls


def test_while_a_broker_is_away_that_is_throttled_the_marks_stay(
    calls: list[tuple[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without them its throttle would be somebody else's for the next growth."""
    found = cluster(a=topic(1, 2, 3, mark=MARK))
    down = replace(found, fenced={1: False, 2: False, 3: True}, rates={1: THEIRS, 2: THEIRS})
    monkeypatch.setattr(kafka_replicas, "look", lambda _admin: down)
    assert not finish(None, plan(found, wish_of(params(), found)), params())  # type: ignore[arg-type]
    assert calls == [("elect", None), ("set_rates", ([1, 2], None))]


def test_a_growth_is_not_done_before_each_throttle_can_be_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    found = cluster(a=topic(1, 2, mark=MARK))
    growth = plan(found, wish_of(params({"name": "a", "replication_factor": 2}), found))
    down = replace(found, fenced={1: False, 2: False, 3: True}, rates={1: THEIRS, 2: THEIRS})
    monkeypatch.setattr(kafka_replicas, "begin", lambda *_all: None)
    monkeypatch.setattr(kafka_replicas, "SLICE_SECONDS", 0)
    monkeypatch.setattr(kafka_replicas, "look", lambda _admin: down)
    result = grow(None, down, growth, params())  # type: ignore[arg-type]
    assert (result["done"], result["idle"]) == (False, True)
    assert result["waits_for"].endswith("0 of 1 partition left, and the throttle of broker 3")
    assert (result["blocked"], result["complete"], result["blocked_topics"]) == ([3], False, ["a"])
    (sentence,) = result["waiting"]
    assert sentence.startswith("The copies wait for broker 3, which does not serve: ")
