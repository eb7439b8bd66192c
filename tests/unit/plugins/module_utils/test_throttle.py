from __future__ import annotations

import pytest
from ansible_collections.raspi.kafka.plugins.module_utils._throttle import (
    FOLLOWERS,
    INHERITED,
    LEADERS,
    MIN_ISR,
    NO_BROKER,
    UNTOUCHED,
    Mark,
    is_foreign,
    mark_of,
    released,
    throttled,
)

SOURCES, COPIES = frozenset({(0, 1), (1, 1)}), frozenset({(0, 2), (1, 3)})


@pytest.mark.parametrize("min_isr", [UNTOUCHED, INHERITED, 2, 3])
def test_a_mark_is_found_again_in_what_it_sets(min_isr: int) -> None:
    mark = Mark(SOURCES, COPIES, min_isr)
    assert mark_of(throttled(mark, 1)) == mark
    assert mark_of(throttled(mark, None)) == mark


def test_the_mark_is_a_replica_at_a_broker_that_there_is_not() -> None:
    configs = throttled(Mark(SOURCES, COPIES, 2), 1)
    assert configs == {LEADERS: f"0:1,1:1,2:{NO_BROKER}", FOLLOWERS: "0:2,1:3", MIN_ISR: "1"}
    assert MIN_ISR not in throttled(Mark(SOURCES, COPIES), None)


def test_a_topic_of_which_only_leaders_change_has_a_mark_too() -> None:
    mark = Mark(SOURCES, frozenset())
    assert mark_of(throttled(mark, None)) == mark


@pytest.mark.parametrize(
    ("min_isr", "restored"),
    [(UNTOUCHED, {}), (INHERITED, {MIN_ISR: None}), (2, {MIN_ISR: "2"})],
    ids=["left as it is", "inherited", "its own"],
)
def test_what_was_lowered_becomes_what_it_was(min_isr: int, restored: dict[str, str | None]) -> None:
    assert released(Mark(SOURCES, COPIES, min_isr)) == {LEADERS: None, FOLLOWERS: None, **restored}


@pytest.mark.parametrize("configs", [{LEADERS: "*"}, {FOLLOWERS: "*"}, {LEADERS: "0:1,1:2", FOLLOWERS: "0:2"}])
def test_a_throttle_without_a_mark_is_of_somebody_else(configs: dict[str, str | None]) -> None:
    assert mark_of(configs) is None
    assert is_foreign(configs)


def test_no_throttle_is_of_nobody() -> None:
    for configs in ({}, {LEADERS: "", FOLLOWERS: None}, throttled(Mark(SOURCES, COPIES), None)):
        assert not is_foreign(configs)


def test_more_is_added_to_a_mark_and_what_it_has_to_restore_stays() -> None:
    mark = Mark(SOURCES, COPIES, 2).with_more([(5, 1)], [(5, 2)])
    assert mark == Mark(SOURCES | {(5, 1)}, COPIES | {(5, 2)}, 2)
