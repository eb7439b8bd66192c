from __future__ import annotations

from typing import Any

from ansible_collections.raspi.kafka.plugins.modules.kafka_cluster_info import (
    features_info,
    log_dir_info,
    own_addresses,
    topic_info,
)


def test_partitions_that_lack_a_replica_are_counted() -> None:
    partitions = [
        {"partition_index": 1, "leader_id": -1, "replica_nodes": [1, 2], "isr_nodes": [1], "offline_replicas": [2]},
        {"partition_index": 0, "leader_id": 1, "replica_nodes": [1, 2], "isr_nodes": [1, 2], "offline_replicas": []},
    ]
    info = topic_info({"name": "a", "is_internal": False, "partitions": partitions}, 2)
    assert (info["under_replicated"], info["replication_factor"], info["min_insync_replicas"]) == (1, 2, 2)
    assert [partition["leader"] for partition in info["partitions"]] == [1, None]


def test_brokers_behind_one_address_are_not_asked_for_each_other() -> None:
    def broker(number: int, port: int, *, fenced: bool = False) -> dict[str, Any]:
        return {"id": number, "host": "127.0.0.1", "port": port, "fenced": fenced}

    assert own_addresses([broker(1, 1), broker(2, 1), broker(3, 2), broker(4, 2, fenced=True)]) == ([3], [1, 2])


def test_a_failed_log_directory_is_a_sentence() -> None:
    log_dir = {"error_code": 56, "log_dir": "/d", "topics": [], "total_bytes": -1, "usable_bytes": -1}
    info = log_dir_info(1, log_dir)
    assert "disk error" in info["error"].lower()


def test_features_that_are_only_supported_are_left_out() -> None:
    features = {"a": {"supported": (0, 2), "finalized": (1, 1)}, "b": {"supported": (0, 2)}}
    assert features_info(features) == {"a": {"level": 1, "supported_min": 0, "supported_max": 2}}
