from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.module_utils import _replicas
from ansible_collections.raspi.kafka.plugins.module_utils._kafka import (
    DYNAMIC_TOPIC_CONFIG,
    INT,
    ConfigEntry,
    ExpectedError,
)
from ansible_collections.raspi.kafka.plugins.module_utils._replicas import (
    Cluster,
    Placed,
    Topic,
    being_added,
    check_addresses,
    log_dirs,
    move,
    placed_of,
    set_rates,
    set_topics,
    topic_of,
    without_copies,
)
from ansible_collections.raspi.kafka.plugins.module_utils._throttle import LEADERS, MIN_ISR, NO_BROKER, Mark
from kafka import TopicPartition
from kafka.errors import ClusterAuthorizationFailedError
from kafka.protocol.admin import (
    AlterPartitionReassignmentsResponse,
    DescribeLogDirsResponse,
    ListPartitionReassignmentsResponse,
)

DEFAULT = 5  # source of a config


def described(*replicas: int, leader: int = 1, isr: tuple[int, ...] = (1,)) -> dict[str, Any]:
    return {"partition_index": 0, "leader_id": leader, "replica_nodes": list(replicas), "isr_nodes": list(isr)}


def under_way(replicas: list[int], adding: list[int], removing: list[int]) -> dict[str, Any]:
    return {"replicas": replicas, "adding_replicas": adding, "removing_replicas": removing}


def answering(monkeypatch: pytest.MonkeyPatch, answer: Any) -> list[tuple[Any, Any]]:
    """Let a broker answer so; returns what is asked, and of which broker."""
    asked: list[tuple[Any, Any]] = []

    def send(_admin: Any, request: Any, node_id: int | None = None, **_more: Any) -> Any:
        asked.append((request, node_id))
        return answer

    monkeypatch.setattr(_replicas, "send", send)
    return asked


# --- what is read


def test_a_partition_that_does_not_move_is_where_it_shall_be() -> None:
    placed = placed_of(described(1, 2, isr=(1, 2)), None)
    assert placed == Placed(1, (1, 2), frozenset({1, 2}))
    assert (placed.moves, placed.is_in_sync, placed.has) == (False, True, {1, 2})


def test_a_partition_that_moves_is_told_as_it_will_be_and_as_it_was() -> None:
    placed = placed_of(described(3, 2, 1), under_way([3, 2, 1], [3], [1]))
    assert placed.replicas == (3, 2)
    assert placed.has == {1, 2}
    assert (placed.moves, placed.is_in_sync) == (True, False)


def test_a_replica_that_is_behind_is_not_in_sync() -> None:
    assert not placed_of(described(1, 2, isr=(1,)), None).is_in_sync


def entry(value: str, source: int = DYNAMIC_TOPIC_CONFIG) -> ConfigEntry:
    return ConfigEntry(value, source, INT, False, False)


def told(**configs: ConfigEntry) -> Topic:
    answer = {"name": "a", "is_internal": False, "partitions": [described(1)]}
    return topic_of(answer, {MIN_ISR: entry("2", DEFAULT), LEADERS: entry("", DEFAULT), **configs}, {})


def test_a_topic_has_a_min_insync_replicas_of_its_own_or_that_of_the_cluster() -> None:
    assert (told().min_isr, told().has_min_isr) == (2, False)
    own = told(**{MIN_ISR: entry("1")})
    assert (own.min_isr, own.has_min_isr) == (1, True)


def test_a_mark_is_found_and_a_throttle_of_others_told_apart() -> None:
    ours = told(**{LEADERS: entry(f"0:1,0:{NO_BROKER}")})
    assert (ours.mark, ours.is_foreign) == (Mark(frozenset({(0, 1)}), frozenset()), False)
    theirs = told(**{LEADERS: entry("*")})
    assert (theirs.mark, theirs.is_foreign) == (None, True)


def test_the_size_of_a_partition_is_that_of_its_leader() -> None:
    topics = {"a": told()}
    sizes = {(1, "a", 0): 5, (2, "a", 0): 7}
    assert Cluster({1: False, 2: False}, topics, sizes, {}, {}).size("a", 0) == 5
    assert Cluster({1: True, 2: False}, topics, {(2, "a", 0): 7}, {}, {}).size("a", 0) == 7
    assert Cluster({1: True}, topics, {}, {}, {}).size("a", 0) == 0


def test_what_has_just_ended_to_move_may_be_described_as_it_was_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who takes it for a partition that rests would plan with a replica that it is about to lose."""
    moves = {TopicPartition("a", 0): under_way([3, 2, 1], [3], [1])}

    def describe_topics() -> list[dict[str, Any]]:
        moves.clear()
        return [{"name": "a", "is_internal": False, "partitions": [described(3, 2, 1)]}]

    admin = SimpleNamespace(list_partition_reassignments=lambda: dict(moves), describe_topics=describe_topics)
    monkeypatch.setattr(_replicas, "describe_configs", lambda *_all, **_more: {"a": {MIN_ISR: entry("2", DEFAULT)}})
    placed = _replicas.topics_of(admin)["a"].partitions[0]
    assert (placed.moves, placed.replicas) == (True, (3, 2))


def test_brokers_that_share_an_address_cannot_be_asked_each_for_itself() -> None:
    one = {"broker_id": 1, "host": "127.0.0.1", "port": 19092}
    with pytest.raises(ExpectedError, match=r"Brokers 1, 2 share one address .* Name the LAN listener"):
        check_addresses([one, {**one, "broker_id": 2}])
    check_addresses([one, {**one, "broker_id": 2, "port": 9092}])


def test_a_log_that_is_to_take_the_place_of_another_one_on_the_same_broker_is_not_counted_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    partitions = [(0, 100, 0, False), (1, 30, 0, False), (1, 20, 0, True)]
    answer = DescribeLogDirsResponse(
        version=4, error_code=0, results=[(0, "/data", [("a", partitions)], 1000, 600), (56, "/dead", [], -1, -1)]
    )
    asked = answering(monkeypatch, DescribeLogDirsResponse.decode(answer.encode(version=4), version=4))
    assert log_dirs(None, 2) == ({("a", 0): 100, ("a", 1): 30}, 600)  # type: ignore[arg-type]
    assert asked[0][1] == 2


# --- what is written


def reassigned(*partitions: tuple[int, int, str | None], error: int = 0) -> Any:
    answer = AlterPartitionReassignmentsResponse(
        version=0, error_code=error, error_message=None, responses=[("a", list(partitions))]
    )
    return AlterPartitionReassignmentsResponse.decode(answer.encode(version=0), version=0)


def test_all_moves_are_one_request(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answering(monkeypatch, reassigned((0, 0, None), (1, 0, None)))
    move(None, {("a", 0): (1, 2), ("a", 1): (2, 1)}, 5000)  # type: ignore[arg-type]
    assert [request.topics for request, _node in asked] == [[("a", [(0, [1, 2]), (1, [2, 1])])]]


def test_no_move_is_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answering(monkeypatch, None)
    move(None, {}, 5000)  # type: ignore[arg-type]
    assert asked == []


def test_a_move_that_is_refused_is_told_with_its_partition(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, reassigned((0, 0, None), (1, 39, "Broker 9 is unknown")))
    with pytest.raises(ExpectedError, match="does not place partition 1 of topic a: Broker 9 is unknown"):
        move(None, {("a", 1): (9,)}, 5000)  # type: ignore[arg-type]


def test_moves_that_are_refused_as_a_whole_are_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, reassigned(error=31))
    with pytest.raises(ClusterAuthorizationFailedError):
        move(None, {("a", 1): (2,)}, 5000)  # type: ignore[arg-type]


def test_each_broker_is_asked_itself_for_its_throttle(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def alter(_admin: Any, _kind: int, changes: Any, node_id: int) -> dict[str, str]:
        asked.append((changes, node_id))
        return {}

    monkeypatch.setattr(_replicas, "alter_configs", alter)
    set_rates(SimpleNamespace(), [2, 3], 1024)  # type: ignore[arg-type]
    assert [node for _changes, node in asked] == [2, 3]
    assert [set(values.values()) for changes, _node in asked for values in changes.values()] == [{"1024"}, {"1024"}]


@pytest.mark.parametrize("write", [lambda: set_rates(None, [2], 1), lambda: set_topics(None, {"2": {}})])  # type: ignore[arg-type]
def test_a_throttle_that_is_refused_is_a_sentence(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_replicas, "alter_configs", lambda *_all, **_more: {"2": "it says no"})
    with pytest.raises(ExpectedError, match=r"Cannot set the throttle of .*2: it says no"):
        write()


# --- what is only being copied


def reassignments(error_code: int = 0) -> ListPartitionReassignmentsResponse:
    topic = ListPartitionReassignmentsResponse.OngoingTopicReassignment
    moves = [topic.OngoingPartitionReassignment(0, replicas=[3, 2, 1], adding_replicas=[3, 2], removing_replicas=[])]
    return ListPartitionReassignmentsResponse(
        throttle_time_ms=0, error_code=error_code, error_message=None, topics=[topic(name="a", partitions=moves)]
    )


def test_what_is_added_is_told_by_partition(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answering(monkeypatch, reassignments())
    assert being_added(None, 1000) == {("a", 0): {2, 3}}  # type: ignore[arg-type]
    ((request, node),) = asked
    assert (request.topics, node) == (None, None)


def test_what_is_added_is_not_known_where_nobody_tells_it(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, reassignments(error_code=31))
    with pytest.raises(ClusterAuthorizationFailedError):
        being_added(None, 1000)  # type: ignore[arg-type]


def test_a_replica_that_is_added_counts_once_it_is_in_sync() -> None:
    topics = [{"name": "a", "partitions": [described(3, 2, 1, isr=(1, 2)), {**described(3, 1), "partition_index": 1}]}]
    ((first, second),) = [one["partitions"] for one in without_copies(topics, {("a", 0): frozenset({2, 3})})]
    assert (first["replica_nodes"], second["replica_nodes"]) == ([2, 1], [3, 1])
    assert topics[0]["partitions"][0]["replica_nodes"] == [3, 2, 1]
