from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.module_utils import _growth
from ansible_collections.raspi.kafka.plugins.module_utils._growth import (
    Growth,
    Progress,
    Wish,
    describe,
    plan,
    progress,
    throttled_brokers,
)
from ansible_collections.raspi.kafka.plugins.module_utils._replicas import Cluster, Placed, Topic
from ansible_collections.raspi.kafka.plugins.module_utils._throttle import (
    FOLLOWERS,
    INHERITED,
    LEADERS,
    MIN_ISR,
    NO_BROKER,
    UNTOUCHED,
    Mark,
    mark_of,
)

MIB = 1048576
BROKERS = (1, 2, 3)


def at(*replicas: int, **more: Any) -> Placed:
    """A partition in sync, led by the first of its replicas."""
    return Placed(**{"leader": replicas[0], "replicas": replicas, "isr": frozenset(replicas), **more})


def moving(*replicas: int, adding: set[int], removing: set[int] = frozenset()) -> Placed:  # type: ignore[assignment]
    """One on its way, of which only what was there before is in sync."""
    had = frozenset(replicas) - adding | removing
    return Placed(min(had), replicas, had, frozenset(adding), frozenset(removing))


def topic(*placed: Placed, min_isr: int = 1, own: bool = False, mark: Mark | None = None, **more: Any) -> Topic:
    fields = {"internal": False, "is_foreign": False, **more}
    return Topic(partitions=dict(enumerate(placed)), min_isr=min_isr, has_min_isr=own, mark=mark, **fields)


def cluster(down: set[int] = frozenset(), **topics: Topic) -> Cluster:  # type: ignore[assignment]
    """Three brokers; each replica that is in sync has a MiB."""
    sizes = {
        (broker, name, number): MIB
        for name, one in topics.items()
        for number, placed in one.partitions.items()
        for broker in placed.isr
    }
    fenced = {broker: broker in down for broker in BROKERS}
    free = {broker: 100 * MIB for broker in BROKERS if broker not in down}
    return Cluster(fenced, topics, sizes, free, {broker: {} for broker in free})


def wish(**aims: int) -> Wish:
    return Wish(aims, BROKERS)


def grown(found: Cluster, **aims: int) -> Growth:
    return plan(found, wish(**aims))


# --- the plan


def test_a_topic_gets_its_replicas_and_is_marked_before() -> None:
    found = grown(cluster(a=topic(at(1), at(1))), a=3)
    assert {key: sorted(new) for key, new in found.placed.items()} == {("a", 0): [1, 2, 3], ("a", 1): [1, 2, 3]}
    assert found.noted["a"] == {LEADERS: f"0:1,0:{NO_BROKER},1:1", FOLLOWERS: "0:2,0:3,1:2,1:3"}
    assert mark_of(found.noted["a"]) == found.marks["a"]
    assert found.bytes_to_copy == 4 * MIB
    assert found.waiting == {}


def test_nothing_is_to_do_where_all_is_as_it_shall_be() -> None:
    found = grown(cluster(a=topic(at(1, 2, 3), at(3, 1, 2), at(2, 3, 1))), a=3)
    assert found == Growth(found.partitions, {}, {}, {}, {})


def test_a_topic_that_is_not_named_is_left_alone_and_one_that_is_not_there_is_no_failure() -> None:
    assert not grown(cluster(b=topic(at(1))), a=3).marks


def test_replicas_are_never_taken_away() -> None:
    assert grown(cluster(a=topic(at(1, 2, 3), at(2, 3, 1), at(3, 1, 2))), a=1).placed == {}


def test_a_broker_that_has_nothing_gets_its_share() -> None:
    led_by_two = topic(at(1, 2), at(2, 1), at(1, 2))
    found = grown(cluster(a=led_by_two), a=2)
    assert [sum(3 in new for new in found.placed.values()), found.bytes_to_copy] == [2, 2 * MIB]


def test_uneven_leaders_alone_are_no_reason() -> None:
    """A second run would find something to do after each topic that Kafka has placed."""
    assert not grown(cluster(a=topic(at(1, 2, 3), at(1, 2, 3), at(1, 2, 3))), a=3).placed


def test_a_broker_that_has_only_topics_which_are_not_named_is_no_reason() -> None:
    assert not grown(cluster(a=topic(at(1, 2), at(2, 1)), b=topic(at(3))), a=2).placed


# --- brokers that are gone for ever


def test_a_replica_on_a_broker_that_was_unregistered_is_given_to_another_one() -> None:
    """Kafka keeps it among the replicas, where it would count for ever."""
    found = grown(cluster(a=topic(replace(at(1, 2, 9), isr=frozenset({1, 2})))), a=3)
    assert sorted(found.placed["a", 0]) == [1, 2, 3]
    assert found.bytes_to_copy == MIB
    assert found.waiting == {}


def test_where_enough_are_left_it_is_only_taken_out() -> None:
    """As long as it is there, a restart of another one takes too many."""
    there = cluster(a=topic(replace(at(1, 2, 9), isr=frozenset({1, 2})), at(2, 3, 1)))
    found = grown(there, a=2)
    assert found.placed == {("a", 0): (1, 2)}
    assert describe(found, there) == ["take brokers that are gone out of 1 partition of topic a"]
    assert found.bytes_to_copy == 0


def test_a_copy_to_it_is_given_up() -> None:
    """It would never end."""
    mark = Mark(frozenset({(0, 1), (0, 2)}), frozenset({(0, 9)}))
    found = grown(cluster(a=topic(moving(1, 2, 9, adding={9}), mark=mark)), a=2)
    assert found.placed == {("a", 0): (1, 2)}


@pytest.mark.parametrize("named", [True, False])
def test_one_that_may_only_be_down_is_not_gone(named: bool) -> None:
    """Kafka before 4.0 does not tell of brokers that are down (KIP-1073)."""
    there = cluster({3}, a=topic(replace(at(1, 3), isr=frozenset({1})), at(2, 1)))
    brokers = BROKERS if named else (1, 2)
    found = plan(replace(there, fenced={1: False, 2: False}), Wish({"a": 2}, brokers, named))
    assert (found.placed, found.waiting) == ({}, {})


def test_records_of_which_no_broker_is_left_are_told_and_not_replaced_by_nothing() -> None:
    found = grown(cluster(a=topic(replace(at(9), isr=frozenset()), at(1))), a=2)
    assert list(found.placed) == [("a", 1)]
    assert found.waiting["a"].startswith(
        "Nobody has partition 0 of topic a, since broker 9 was taken out of the cluster."
    )


# --- brokers that do not serve


def test_a_topic_waits_for_brokers_and_others_do_not() -> None:
    found = grown(cluster({3}, a=topic(at(1)), b=topic(at(1))), a=3, b=2)
    assert found.waiting == {"a": "Topic a waits with fewer than 3 replicas: broker 3 does not serve."}
    assert [key for key, _new in found.placed.items()] == [("b", 0)]
    assert sorted(found.placed["b", 0]) == [1, 2]


def test_a_partition_with_a_replica_that_is_down_is_left_as_it_is() -> None:
    found = grown(cluster({3}, a=topic(at(3), at(1))), a=2)
    assert found.waiting == {"a": "1 partition of topic a wait with too few replicas for broker 3."}
    assert list(found.placed) == [("a", 1)]


def test_while_a_broker_is_down_nothing_is_spread_anew_over_the_others() -> None:
    uneven = {"a": topic(at(1), at(1), at(1)), "b": topic(at(1))}
    assert {name for name, _number in grown(cluster(**uneven), a=1, b=2).placed} == {"a", "b"}
    assert {name for name, _number in grown(cluster({3}, **uneven), a=1, b=2).placed} == {"b"}


def test_where_a_broker_is_down_that_no_topic_lacks_nothing_waits() -> None:
    found = grown(cluster({3}, a=topic(at(1, 2, 3), at(2, 3, 1), at(3, 1, 2))), a=3)
    assert (found.waiting, found.placed) == ({}, {})


# --- min.insync.replicas


@pytest.mark.parametrize(
    ("own", "restored"), [(False, INHERITED), (True, 2)], ids=["of the cluster", "of the topic itself"]
)
def test_what_more_replicas_would_refuse_is_lowered_meanwhile(own: bool, restored: int) -> None:
    found = grown(cluster(a=topic(at(1), min_isr=2, own=own)), a=3)
    assert found.noted["a"][MIN_ISR] == "1"
    assert found.marks["a"].min_isr == restored


def test_what_two_replicas_bear_is_not_lowered() -> None:
    found = grown(cluster(a=topic(at(1, 2), min_isr=2)), a=3)
    assert MIN_ISR not in found.noted["a"]
    assert found.marks["a"].min_isr == UNTOUCHED


def test_for_another_leader_alone_it_is_not_lowered() -> None:
    led_by_one = topic(at(1, 2, 3), at(1, 2, 3), at(1, 2, 3), min_isr=4)
    found = grown(cluster(a=led_by_one, b=topic(at(1))), a=3, b=2)
    assert MIN_ISR in grown(cluster(a=topic(at(1), min_isr=4)), a=3).noted["a"]
    assert MIN_ISR not in found.noted["a"]


@pytest.mark.parametrize(("holds", "noted"), [(1, {}), (2, {MIN_ISR: "1"})], ids=["low enough", "not low enough"])
def test_what_was_lowered_before_an_interruption_is_not_taken_for_what_it_was(
    holds: int, noted: dict[str, str]
) -> None:
    mark = Mark(frozenset({(0, 1)}), frozenset({(0, 2), (0, 3)}), 3)
    found = grown(cluster(a=topic(at(1), min_isr=holds, own=True, mark=mark)), a=3)
    assert found.marks["a"].min_isr == 3
    assert {key: value for key, value in found.noted.get("a", {}).items() if key == MIN_ISR} == noted
    assert list(found.placed) == [("a", 0)]


# --- what was interrupted


ALL = Mark(frozenset({(0, 1)}), frozenset({(0, 2), (0, 3)}))


def test_what_moves_already_is_not_asked_for_again() -> None:
    found = grown(cluster(a=topic(moving(1, 2, 3, adding={2, 3}), mark=ALL)), a=3)
    assert (found.placed, found.noted) == ({}, {})
    assert found.marks == {"a": ALL}


def test_while_it_moves_nothing_is_planned_anew_and_what_is_thin_still_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each slice of the wait plans, which takes a Pi long where there are many partitions."""
    planned: list[int] = []
    monkeypatch.setattr(_growth, "place", lambda partitions, _brokers: planned.append(len(partitions)) or {})
    grown(cluster(a=topic(moving(1, 2, 3, adding={2, 3}), mark=ALL)), a=3)
    assert planned == []
    grown(cluster(a=topic(moving(1, 2, 3, adding={2, 3}), at(1), mark=ALL)), a=3)
    grown(cluster(a=topic(at(1, 2, 3), mark=ALL)), a=3)
    assert planned == [2, 1]


def test_what_moves_already_and_asks_for_more_than_it_has_is_lowered() -> None:
    found = grown(cluster(a=topic(moving(1, 2, 3, adding={2, 3}), min_isr=2, mark=ALL)), a=3)
    assert found.placed == {}
    assert found.marks["a"] == replace(ALL, min_isr=INHERITED)
    assert found.noted["a"][MIN_ISR] == "1"


@pytest.mark.parametrize(
    ("throttles", "mark"), [(False, None), (True, None), (False, Mark(frozenset({(1, 1)}), frozenset({(1, 2)})))]
)
def test_what_somebody_else_moves_is_left_to_them_and_waited_for(throttles: bool, mark: Mark | None) -> None:
    """Also where another partition of the topic is ours; whoever moves it may throttle it elsewhere, or not at all."""
    theirs = topic(moving(1, 2, adding={2}), at(1, 2, 3), mark=mark, is_foreign=throttles)
    found = grown(cluster(a=theirs), a=3)
    assert (found.placed, found.noted) == ({}, {})
    assert found.marks == ({"a": mark} if mark else {})
    assert found.waiting == {"a": "1 partition of topic a wait until somebody else has moved them."}


def test_what_is_all_there_but_marked_is_finished() -> None:
    found = grown(cluster(a=topic(at(1, 2, 3), mark=ALL)), a=3)
    assert (found.placed, found.marks) == ({}, {"a": ALL})
    assert describe(found, cluster(a=topic(at(1, 2, 3), mark=ALL))) == [
        "end what an interrupted run began with topic a"
    ]


def test_a_mark_at_a_topic_that_is_not_named_any_more_is_finished_too() -> None:
    assert grown(cluster(a=topic(at(1, 2, 3), mark=ALL))).marks == {"a": ALL}


# --- progress


def test_progress_is_told_by_bytes() -> None:
    found = cluster(a=topic(moving(1, 2, 3, adding={2, 3}), mark=ALL))
    found = replace(found, sizes={**found.sizes, (2, "a", 0): MIB // 2})
    assert progress(found, {"a": ALL}) == Progress(1, 1, MIB // 2, 2 * MIB, MIB + MIB // 2)
    done = cluster(a=topic(at(1, 2, 3), mark=ALL))
    assert progress(done, {"a": ALL}) == Progress(0, 1, 2 * MIB, 2 * MIB, 0)
    assert progress(done, {"a": ALL}).ratio == 1.0


def test_a_copy_that_is_not_in_sync_is_left_to_do() -> None:
    behind = cluster(a=topic(replace(at(1, 2, 3), isr=frozenset({1, 2})), mark=ALL))
    assert progress(behind, {"a": ALL}).left == 1


def test_a_growth_is_not_done_while_a_broker_is_away_that_takes_part() -> None:
    """Also one that has no replica left to be waited for: it keeps its throttle, and tells it when it is back."""
    there = {"a": topic(at(1, 2), mark=ALL)}
    found = progress(cluster({3}, **there), {"a": ALL})
    assert (found.left, found.away, found.is_done) == (0, (3,), False)
    assert progress(cluster(**there), {"a": ALL}).is_done
    turned = Mark(frozenset({(0, 3)}), frozenset())
    assert progress(cluster({3}, a=topic(at(1, 2), mark=turned)), {"a": turned}).is_done


@pytest.mark.parametrize(
    ("placed", "down", "blocked"),
    [
        (replace(at(1, 2, 3), isr=frozenset({1, 2})), {3}, (3,)),
        (at(1, 2, 3), {3}, (3,)),
        (moving(1, 2, 3, adding={3}), {3}, (3,)),
        # 2 serves, and its copy goes on.
        (moving(1, 2, 3, adding={2, 3}), {3}, ()),
        (replace(at(1, 2, 3), isr=frozenset({1, 2})), set(), ()),
        (moving(1, 2, adding=set(), removing={3}), {3}, ()),
    ],
    ids=["behind", "throttled", "being copied", "others are copied", "it serves", "about to be removed"],
)
def test_nothing_is_left_to_do_without_a_broker_that_does_not_serve(
    placed: Placed, down: set[int], blocked: tuple[int, ...]
) -> None:
    assert progress(cluster(down, a=topic(placed, mark=ALL)), {"a": ALL}).blocked == blocked


def test_a_topic_that_is_gone_is_not_waited_for() -> None:
    assert progress(cluster(), {"a": ALL}) == Progress(0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("now", "nearer"),
    [
        (Progress(2, 9, 50, 100, 40), True),
        (Progress(3, 9, 50, 100, 50), True),
        (Progress(3, 9, 90, 200, 60), False),
        (Progress(3, 9, 50, 100, 60), False),
    ],
    ids=["a partition less", "fewer bytes", "the writers are faster", "nothing"],
)
def test_it_comes_nearer_by_partitions_or_by_bytes(now: Progress, nearer: bool) -> None:
    assert now.moved_since(Progress(3, 9, 40, 100, 60)) is nearer


def test_brokers_are_throttled_that_copy_or_are_copied_from() -> None:
    found = cluster(a=topic(at(1)))
    growth = grown(found, a=2)
    assert throttled_brokers(growth, found) == sorted(growth.placed["a", 0])
    turned = cluster(a=topic(at(1, 2, 3), at(1, 2, 3), at(1, 2, 3), mark=Mark(frozenset({(0, 1)}), frozenset())))
    growth = grown(turned, a=3)
    assert growth.placed
    assert throttled_brokers(growth, turned) == []


# --- in words


def test_the_plan_is_told_by_topic() -> None:
    found = cluster(a=topic(at(1), at(1)), b=topic(at(1, 2, 3)))
    told = describe(grown(found, a=3, b=3), found)
    assert told[0] == "give 2 partitions of topic a 3 replicas in place of 1 (4.0 MiB to copy)"
