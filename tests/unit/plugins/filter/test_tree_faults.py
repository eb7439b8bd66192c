"""What cannot be a tree of MQTT topics, and which trees cannot be together."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.raspi.kafka.plugins.filter.tree_faults import is_filter, overlap, tree_faults

DEFAULTS = Path(__file__).parents[4] / "roles" / "mosquitto" / "defaults" / "main.yml"
DEVICES = "devices/+/#"


def fault(**tree: Any) -> str:
    (text,) = tree_faults([{"filter": "tele/+/#", **tree}], taken=[DEVICES])
    return text


@pytest.mark.parametrize(
    "tree",
    [
        {"filter": "tele/+/#", "reads": ["cmnd/+/#", "cmnd/tasmotas/#"]},
        {"filter": "zigbee2mqtt/+/#", "publishers": ["zigbee2mqtt", "home"], "reads": ["zigbee2mqtt/#"]},
        {"filter": "a/+", "topic": "events"},
        {"filter": "sensors/+/state"},
        {"filter": "größe/+/#"},
    ],
)
def test_a_tree_is_as_its_device_asks(tree: dict[str, Any]) -> None:
    assert tree_faults([tree], taken=[DEVICES]) == []


def test_the_lines_that_the_defaults_show_are_right() -> None:
    lines = [text for line in DEFAULTS.read_text().splitlines() if (text := line.partition("mosquitto_trees=")[2])]
    assert len(lines) == 2
    assert tree_faults([tree for line in lines for tree in yaml.safe_load(line)], taken=[DEVICES]) == []


@pytest.mark.parametrize(
    "text", ["a/b+/+", "a/#/+", "a/+/#b", "", "$SYS/+", "$share/g/+/#", "a b/+", "%u/+", "a/+\n", 7]
)
def test_what_is_no_filter_is_refused(text: Any) -> None:
    assert not is_filter(text)
    assert "has no filter of MQTT" in fault(filter=text)


def test_a_tree_must_name_the_device() -> None:
    assert fault(filter="tele/#") == (
        "The tree tele/# has no +, so that no level names the device. Write it like tele/+/#."
    )


@pytest.mark.parametrize("topic", ["a b", "", ".", "..", "x" * 250, "a/b", 7, None])
def test_a_topic_that_kafka_does_not_take_is_refused(topic: Any) -> None:
    assert "A topic of Kafka has 1 to 249" in fault(topic=topic)


@pytest.mark.parametrize("name", ["-a", "a/b", "a+", "x" * 65, "", "a:b", 7])
def test_a_publisher_that_can_be_no_user_is_refused(name: Any) -> None:
    assert f"has the publisher {name!r}. A name has 1 to 64" in fault(publishers=[name])


def test_a_publisher_of_the_collection_is_refused() -> None:
    assert "are this collection's" in fault(publishers=["raspi-kafka-bridge"])


def test_a_tree_is_not_where_alerting_publishes() -> None:
    said = "The tree +/+/# overlaps alerts/#, where this collection publishes what is in Kafka already. Name another."
    assert tree_faults([{"filter": "+/+/#"}], not_for_kafka=["alerts/#"]) == [said]
    assert tree_faults([{"filter": "alert/+"}], not_for_kafka=["alerts/#"]) == []


def test_publishers_and_reads_are_lists() -> None:
    assert "has publishers that are no list ('zigbee2mqtt')" in fault(publishers="zigbee2mqtt")
    assert "has reads that are no list ('cmnd/+/#')" in fault(reads="cmnd/+/#")


def test_what_is_read_is_a_filter() -> None:
    assert "reads 'cmnd/#/x', which is no filter" in fault(reads=["cmnd/#/x"])


def test_an_unknown_key_is_refused_with_the_nearest_known() -> None:
    assert (
        fault(publisher="x") == "The tree tele/+/# has the key publisher, which is not known; did you mean publishers?"
    )
    assert "known are filter, topic, publishers, reads." in fault(xyz=1)


@pytest.mark.parametrize("tree", [{}, "tele/+/#", None, {"topic": "events"}])
def test_what_is_no_tree_is_refused(tree: Any) -> None:
    (text,) = tree_faults([tree])
    assert f"has the entry {tree!r}, which is no tree with a filter. Give a list" in text


def test_trees_that_are_no_list_are_refused() -> None:
    assert tree_faults("[]")[0].startswith("mosquitto_trees is a text ('[]'). Give a list")
    assert tree_faults({})[0].startswith("mosquitto_trees is no list ({}). Give a list")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a/+/#", "a/+/#"),
        ("a/+/#", "a/b/+"),
        ("a/+/#", "+/b"),
        ("a/+", "+/b"),
        ("#", "a/b"),
        ("+/+", "a/#"),
        # A # matches its parent too.
        ("a/b/#", "a/+"),
        ("a/#", "a"),
    ],
)
def test_filters_that_a_topic_matches_both_overlap(one: str, other: str) -> None:
    assert [overlap(*pair) for pair in itertools.permutations((one, other))] == [True, True]


@pytest.mark.parametrize(
    ("one", "other"), [("a/+/#", "b/+/#"), ("a/+", "a/+/b"), ("a/+/x", "a/+/y"), ("a/+/#", "a"), ("+", "a/b")]
)
def test_filters_that_no_topic_matches_both_do_not(one: str, other: str) -> None:
    assert [overlap(*pair) for pair in itertools.permutations((one, other))] == [False, False]


def test_trees_that_overlap_are_refused_with_each_other_and_with_those_that_are_taken() -> None:
    found = tree_faults([{"filter": "+/tele/#"}, {"filter": "x/+"}], taken=[DEVICES])
    assert [text.partition(" overlap")[0] for text in found] == [
        "The trees devices/+/# and +/tele/#",
        "The trees +/tele/# and x/+",
    ]


def test_all_faults_are_told_at_once() -> None:
    assert len(tree_faults([{"filter": "tele/#", "topic": "a b", "read": []}])) == 3
