from __future__ import annotations

from typing import Any

from ansible_collections.raspi.kafka.plugins.module_utils._quorum import kafka_id, quorum_info


def replica(node: int, offset: int, caught_up: int) -> dict[str, Any]:
    return {
        "replica_id": node,
        "replica_directory_id": "3d7bfbc3-5de0-4744-9641-cc8e9685bb6e",
        "log_end_offset": offset,
        "last_fetch_timestamp": caught_up,
        "last_caught_up_timestamp": caught_up,
    }


def test_lag_is_counted_from_the_active_controller() -> None:
    partition = {
        "leader_id": 2,
        "leader_epoch": 4,
        "high_watermark": 90,
        "current_voters": [replica(3, 0, -1), replica(2, 100, 5000), replica(1, 90, 4000)],
        "observers": [replica(7, 100, 4999)],
    }
    info = quorum_info({"topics": [{"partitions": [partition]}], "nodes": None})
    assert [voter["id"] for voter in info["voters"]] == [1, 2, 3]
    assert [voter["lag"] for voter in info["voters"]] == [10, 0, 100]
    assert [voter["caught_up_lag_ms"] for voter in info["voters"]] == [1000, 0, None]
    assert info["observers"][0]["caught_up_lag_ms"] == 1


def test_directory_ids_are_written_as_in_meta_properties() -> None:
    assert kafka_id("3d7bfbc3-5de0-4744-9641-cc8e9685bb6e") == "PXv7w13gR0SWQcyOloW7bg"
    assert kafka_id(None) is None
