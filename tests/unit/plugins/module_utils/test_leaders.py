from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.module_utils import _leaders
from ansible_collections.raspi.kafka.plugins.module_utils._leaders import elect_preferred, judge, led_by_others
from kafka.protocol.admin import ElectLeadersResponse

NOT_NEEDED, NOT_AVAILABLE = 84, 80  # error codes


def topic(name: str, *partitions: tuple[int, list[int], list[int]]) -> dict[str, Any]:
    """A topic whose partitions have a leader, replicas and an ISR each."""
    return {
        "name": name,
        "partitions": [
            {"partition_index": number, "leader_id": leader, "replica_nodes": replicas, "isr_nodes": isr}
            for number, (leader, replicas, isr) in enumerate(partitions)
        ],
    }


def answer(*partitions: tuple[int, int], error: int = 0) -> ElectLeadersResponse:
    """What a broker says of partitions of the topic `a`: number and error code each."""
    told = ElectLeadersResponse(
        version=2,
        error_code=error,
        replica_election_results=[("a", [(number, code, None) for number, code in partitions])],
    )
    return ElectLeadersResponse.decode(told.encode(version=2), version=2)


def test_an_election_is_for_partitions_whose_preferred_leader_is_in_sync_and_does_not_lead() -> None:
    leads = (1, [1, 2], [1, 2])
    other_leads = (2, [1, 2], [2, 1])
    behind = (2, [1, 2], [2])
    nobody = (-1, [1], [1])
    found = led_by_others([topic("b", leads, other_leads, nobody, other_leads), topic("a", behind), topic("c")])
    assert found == {"b": [1, 2, 3]}


def test_who_leads_already_is_no_failure_and_who_is_down_is_told() -> None:
    refused = judge(answer((0, 0), (1, NOT_NEEDED), (2, NOT_AVAILABLE)), [("a", [0, 1, 2])])
    assert list(refused) == [("a", 2)]
    assert "PreferredLeaderNotAvailableError" in refused["a", 2]


def test_an_answer_that_refuses_all_is_told_of_each_partition() -> None:
    refused = judge(answer(error=31), [("a", [0, 3])])
    assert list(refused) == [("a", 0), ("a", 3)]
    assert all("ClusterAuthorizationFailedError" in why for why in refused.values())


def test_a_preferred_election_is_asked_for_and_no_unclean_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(_leaders, "send", lambda _admin, request, **_more: asked.append(request) or answer((0, 0)))
    assert elect_preferred(SimpleNamespace(), {"a": [0]}, 5000) == {}  # type: ignore[arg-type]
    assert [(one.election_type, one.topic_partitions, one.timeout_ms) for one in asked] == [(0, [("a", [0])], 5000)]


def test_nothing_is_asked_for_where_all_lead(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request without topics would elect leaders of all that there are."""
    monkeypatch.setattr(_leaders, "send", lambda *_all, **_more: pytest.fail("a request was sent"))
    assert elect_preferred(SimpleNamespace(), {}, 5000) == {}  # type: ignore[arg-type]
