"""Who leads again, and how long it is waited for."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.module_utils import _kafka
from ansible_collections.raspi.kafka.plugins.module_utils._kafka import ExpectedError
from ansible_collections.raspi.kafka.plugins.modules import kafka_leaders
from ansible_collections.raspi.kafka.plugins.modules.kafka_leaders import await_in_sync, behind, names, to_lead, work

Topics = list[dict[str, Any]]
PARAMS = {"node_id": 3, "patience": 10, "limit": 100, "request_timeout_ms": 5000}


def topic(name: str, *partitions: tuple[int, list[int], list[int]]) -> dict[str, Any]:
    """A topic whose partitions have a leader, replicas and an ISR each."""
    return {
        "name": name,
        "partitions": [
            {"partition_index": number, "leader_id": leader, "replica_nodes": replicas, "isr_nodes": isr}
            for number, (leader, replicas, isr) in enumerate(partitions)
        ],
    }


DOWN = [topic("a", (1, [3, 1], [1]), (2, [2, 3], [2]), (1, [1, 2], [1, 2])), topic("b", (1, [3, 1], [1]))]
HALF = [topic("a", (1, [3, 1], [1, 3]), (2, [2, 3], [2, 3]), (1, [1, 2], [1, 2])), topic("b", (1, [3, 1], [1]))]
BACK = [topic("a", (1, [3, 1], [1, 3]), (2, [2, 3], [2, 3]), (1, [1, 2], [1, 2])), topic("b", (1, [3, 1], [1, 3]))]
LEADS = [topic("a", (3, [3, 1], [1, 3]), (2, [2, 3], [2, 3]), (1, [1, 2], [1, 2])), topic("b", (3, [3, 1], [1, 3]))]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The time of the module: only its pauses take any."""
    now = SimpleNamespace(seconds=1000.0)

    def sleep(seconds: float) -> None:
        now.seconds += seconds

    for module in (kafka_leaders, _kafka):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now.seconds, sleep=sleep))
    return now


def looks(*states: Topics) -> Callable[[], Topics]:
    """The states one after another, and the last one for ever."""

    def endless() -> Iterator[Topics]:
        yield from states
        while True:
            yield states[-1]

    return endless().__next__


def test_a_replica_that_is_not_in_sync_is_behind_whoever_leads() -> None:
    assert behind(DOWN, 3) == {"a": [0, 1], "b": [0]}
    assert behind(BACK, 3) == {}
    assert behind(DOWN, 9) == {}


def test_a_node_is_to_lead_where_its_replica_is_the_first_one_and_in_sync() -> None:
    assert to_lead(BACK, 3) == {"a": [0], "b": [0]}
    assert to_lead(HALF, 3) == {"a": [0]}
    assert to_lead(LEADS, 3) == {}
    assert to_lead(BACK, 2) == {}


@pytest.mark.usefixtures("clock")
def test_what_is_in_sync_is_not_waited_for() -> None:
    assert await_in_sync(looks(BACK), PARAMS) == 0


@pytest.mark.usefixtures("clock")
def test_replicas_that_come_into_sync_are_waited_for() -> None:
    assert await_in_sync(looks(DOWN, HALF, BACK), PARAMS) == pytest.approx(0.4)


@pytest.mark.usefixtures("clock")
def test_without_progress_it_fails_with_the_partitions_that_are_left() -> None:
    with pytest.raises(
        ExpectedError, match=r"its replicas of b 0 are not in sync after 10 s, the last 10 s"
    ) as failure:
        await_in_sync(looks(DOWN, HALF), PARAMS)
    assert failure.value.facts == {"reason": "no_progress", "behind": {"b": [0]}}


@pytest.mark.usefixtures("clock")
def test_each_replica_that_comes_into_sync_begins_patience_anew() -> None:
    assert await_in_sync(looks(*45 * [DOWN], *45 * [HALF], BACK), PARAMS) == pytest.approx(18)


@pytest.mark.usefixtures("clock")
def test_no_progress_is_waited_for_beyond_the_limit() -> None:
    with pytest.raises(ExpectedError, match="after 5 s, the last 0 s"):
        await_in_sync(looks(*24 * [DOWN], HALF), {**PARAMS, "limit": 5})


def test_of_many_topics_some_are_named() -> None:
    assert names({"a": [0, 1], "b": [2]}) == "a 0,1 and b 2"
    assert names({str(number): [0] for number in range(8)}) == "0 0 and 1 0 and 2 0 and 3 0 and 4 0 and 3 other topics"


# --- the election


class Cluster:
    """A cluster in which broker 3 is back, and leads after an election or, told so, after several."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, refusals: int = 0) -> None:
        self.asked: list[dict[str, list[int]]] = []
        self.refusals = refusals
        monkeypatch.setattr(kafka_leaders, "admin_client", lambda _params: contextlib.nullcontext(self))
        monkeypatch.setattr(kafka_leaders, "elect_preferred", self.elect)
        monkeypatch.setattr(kafka_leaders, "being_added", lambda _admin, _timeout_ms: self.adding)
        self.adding: dict[tuple[str, int], frozenset[int]] = {}

    def describe_topics(self) -> Topics:
        return LEADS if len(self.asked) > self.refusals else BACK

    def elect(self, _admin: Any, wanted: dict[str, list[int]], _timeout_ms: int) -> dict[tuple[str, int], str]:
        if wanted:
            self.asked.append(wanted)
        return {("a", 0): "it is down"} if len(self.asked) <= self.refusals else {}


def run(**options: Any) -> dict[str, Any]:
    return work(SimpleNamespace(params={**PARAMS, **options}, check_mode=options.get("check", False)))


@pytest.mark.usefixtures("clock")
def test_a_node_that_is_back_leads_again_and_a_second_time_nothing_is_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch)
    told = run()
    assert (told["changed"], told["moved"]) == (True, {"a": [0], "b": [0]})
    again = run()
    assert (again["changed"], again["moved"]) == (False, {})
    assert cluster.asked == [{"a": [0], "b": [0]}]


@pytest.mark.usefixtures("clock")
def test_an_election_that_is_refused_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, refusals=2)
    assert run()["changed"]
    assert len(cluster.asked) == 3


@pytest.mark.usefixtures("clock")
def test_an_election_that_is_refused_for_good_is_a_failure_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    Cluster(monkeypatch, refusals=1000)
    with pytest.raises(ExpectedError, match="broker 3 does not lead a 0 and b 0: it is down"):
        run()


def test_a_dry_run_moves_nothing_and_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch)
    assert run(check=True)["moved"] == {"a": [0], "b": [0]}
    assert cluster.asked == []


@pytest.mark.usefixtures("clock")
def test_what_a_growth_copies_to_it_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch)
    monkeypatch.setattr(cluster, "describe_topics", lambda: HALF if not cluster.asked else [*LEADS[:1], HALF[1]])
    with pytest.raises(ExpectedError, match="its replicas of b 0 are not in sync"):
        run()
    cluster.adding = {("b", 0): frozenset({3})}
    told = run()
    assert (told["moved"], told["behind"]) == ({"a": [0]}, {})
