"""What topics may keep at most."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.filter.retention import retention

MIB = 1 << 20


def kept(*topics: Any, retention_bytes: Any = 1024 * MIB) -> dict[str, Any]:
    return retention(list(topics), retention_bytes=retention_bytes, segment_bytes=64 * MIB)


def test_each_partition_keeps_its_retention_and_the_segment_it_writes_to() -> None:
    topic = {"name": "t", "partitions": 4, "configs": {"retention.bytes": 512 * MIB}}
    assert kept(topic) == {"bytes": 4 * (512 + 64) * MIB, "unlimited": 0, "compacted": [], "refused": []}


def test_what_a_topic_leaves_out_is_the_brokers() -> None:
    assert kept({"name": "t"})["bytes"] == (1024 + 64) * MIB
    assert kept({"name": "t", "configs": {"segment.bytes": str(8 * MIB)}})["bytes"] == (1024 + 8) * MIB


def test_where_the_disk_decides_partitions_without_a_limit_are_counted() -> None:
    limited = {"name": "b", "configs": {"retention.bytes": 512 * MIB}}
    found = kept({"name": "a", "partitions": 3}, limited, retention_bytes=None)
    assert (found["bytes"], found["unlimited"]) == ((3 * 64 + 512 + 64) * MIB, 3)


def test_topics_add_up_without_those_that_are_to_be_deleted() -> None:
    both = kept({"name": "a"}, {"name": "b", "state": "absent", "partitions": 99}, {"name": "c", "state": "present"})
    assert both["bytes"] == 2 * (1024 + 64) * MIB


def test_a_topic_that_only_time_bounds_is_refused() -> None:
    (text,) = kept({"name": "t", "configs": {"retention.bytes": -1}})["refused"]
    assert "Topic t declares retention.bytes -1" in text


def test_a_broker_whose_topics_only_time_bounds_is_blamed_itself() -> None:
    own = {"name": "own", "configs": {"retention.bytes": MIB}}
    (text,) = kept({"name": "t"}, own, retention_bytes="-1")["refused"]
    assert text.startswith("kraft_broker_extra_config has log.retention.bytes -1, and topic t has no retention.bytes")


@pytest.mark.parametrize(("policy", "size", "names"), [("compact", 64, ["t"]), ("compact,delete", 1088, [])])
def test_a_compacted_topic_counts_by_segments_and_is_named(policy: str, size: int, names: list[str]) -> None:
    found = kept({"name": "t", "configs": {"cleanup.policy": policy}})
    assert (found["bytes"], found["compacted"]) == (size * MIB, names)


@pytest.mark.parametrize(
    ("topic", "text"),
    [
        ({"name": "t", "configs": {"retention.bytes": "1G"}}, "Topic t has retention.bytes 1G, which is no number"),
        ({"name": "t", "configs": {"segment.bytes": []}}, "Topic t has segment.bytes [], which is no number"),
        ({"name": "t", "partitions": "four"}, "Topic t has partitions four, which is no number"),
        ({"name": "t", "configs": "retention.bytes=1"}, "Topic t has configs that are no dictionary"),
        ({"partitions": 1}, "the entry {'partitions': 1}, which is no topic with a name"),
        ("events", "the entry 'events', which is no topic with a name"),
        (None, "the entry None, which is no topic with a name"),
    ],
)
def test_what_is_malformed_is_refused_in_a_sentence(topic: Any, text: str) -> None:
    (refused,) = kept(topic)["refused"]
    assert text in refused


def test_a_size_of_the_broker_that_is_no_number_is_refused() -> None:
    (text,) = kept({"name": "t"}, retention_bytes="1G")["refused"]
    assert text.startswith("kraft_broker_extra_config has log.retention.bytes 1G, which is no number")


@pytest.mark.parametrize(
    ("topics", "text"),
    [
        ('[{"name": "events"}]', "topics_declared is a text"),
        ({"name": "events"}, "topics_declared is no list"),
        (None, "topics_declared is no list"),
    ],
)
def test_what_is_no_list_is_refused_with_the_way_to_give_one(topics: Any, text: str) -> None:
    (refused,) = retention(topics, segment_bytes=64 * MIB)["refused"]
    assert text in refused
    assert """-e '{"topics_declared": [{"name": "events"}]}'""" in refused
