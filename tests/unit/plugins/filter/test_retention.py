"""What topics may keep at most."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.filter.retention import retention

MIB = 1 << 20


def kept(*topics: dict[str, Any]) -> dict[str, Any]:
    return retention(topics, retention_bytes=1024 * MIB, segment_bytes=64 * MIB)


def test_each_partition_keeps_its_retention_and_the_segment_it_writes_to() -> None:
    topic = {"name": "t", "partitions": 4, "configs": {"retention.bytes": 512 * MIB}}
    assert kept(topic) == {"bytes": 4 * (512 + 64) * MIB, "refused": []}


def test_what_a_topic_leaves_out_is_the_brokers() -> None:
    assert kept({"name": "t"})["bytes"] == (1024 + 64) * MIB
    assert kept({"name": "t", "configs": {"segment.bytes": str(8 * MIB)}})["bytes"] == (1024 + 8) * MIB


def test_topics_add_up_without_those_that_are_to_be_deleted() -> None:
    both = kept({"name": "a"}, {"name": "b", "state": "absent", "partitions": 99}, {"name": "c", "state": "present"})
    assert both["bytes"] == 2 * (1024 + 64) * MIB


def test_a_topic_that_only_time_bounds_is_refused() -> None:
    (text,) = kept({"name": "t", "configs": {"retention.bytes": -1}})["refused"]
    assert "Topic t declares retention.bytes -1" in text


@pytest.mark.parametrize(("policy", "size"), [("compact", 64), ("compact,delete", 1088)])
def test_a_compacted_topic_counts_by_segments(policy: str, size: int) -> None:
    assert kept({"name": "t", "configs": {"cleanup.policy": policy}})["bytes"] == size * MIB


def test_a_size_that_is_no_number_is_refused() -> None:
    assert "size that is no number" in kept({"name": "t", "configs": {"retention.bytes": "1G"}})["refused"][0]
