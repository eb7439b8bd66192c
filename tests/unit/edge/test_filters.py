"""Which topics filters match, and which filters have topics in common."""

from __future__ import annotations

import itertools

import pytest
from raspi_kafka.bridge.filters import fault, first_plus, matches, overlap

LEVELS = ("a", "b", "", "$s")


def reference(topic_filter: str, topic: str) -> bool:
    """MQTT 5, 4.7, level by level."""
    want, have = topic_filter.split("/"), topic.split("/")
    if have[0].startswith("$") and want[0] in ("+", "#"):
        return False
    while want and want[0] != "#":
        if not have or want[0] not in ("+", have[0]):
            return False
        want, have = want[1:], have[1:]
    return bool(want) or not have


def topics() -> list[str]:
    return ["/".join(levels) for depth in (1, 2, 3, 4) for levels in itertools.product(LEVELS, repeat=depth)]


def all_filters() -> list[str]:
    found = ["/".join(levels) for depth in (1, 2, 3) for levels in itertools.product((*LEVELS, "+"), repeat=depth)]
    return [*found, "#", *(f"{each}/#" for each in found if each.count("/") < 2)]


def test_filters_match_as_the_specification_says() -> None:
    wrong = [(f, t) for f in all_filters() for t in topics() if matches(f, t) != reference(f, t)]
    assert wrong == []


def test_filters_overlap_if_and_only_if_a_topic_matches_both() -> None:
    known = topics()
    matched = {each: frozenset(topic for topic in known if reference(each, topic)) for each in all_filters()}
    wrong = [(a, b) for a in matched for b in matched if overlap(a, b) != (not matched[a].isdisjoint(matched[b]))]
    assert wrong == []


@pytest.mark.parametrize(
    ("topic_filter", "why"),
    [
        ("", "empty"),
        ("a#", "`#` stands alone"),
        ("a/#/b", "`#` stands alone"),
        ("a/b+/c", "`+` stands alone"),
        ("$share/group/a", "shared"),
        ("a\0b", "NUL"),
        ("ä" * 32768, "65535 bytes"),
    ],
)
def test_what_is_no_filter_is_told(topic_filter: str, why: str) -> None:
    assert why in fault(topic_filter)


@pytest.mark.parametrize("topic_filter", ["#", "+", "a/+/#", "/", "$SYS/#", "ä" * 32767])
def test_a_filter_has_no_fault(topic_filter: str) -> None:
    assert fault(topic_filter) == ""


@pytest.mark.parametrize(("topic_filter", "level"), [("devices/+/#", 2), ("+", 1), ("a/+/+", 2), ("a/#", 0)])
def test_the_first_plus_is_counted_from_one(topic_filter: str, level: int) -> None:
    assert first_plus(topic_filter) == level
