"""Waiting, asking again and telling; what is judged is in test_gate.py."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.module_utils import _kafka
from ansible_collections.raspi.kafka.plugins.module_utils._gate import State, Verdict, judge, state_of
from ansible_collections.raspi.kafka.plugins.module_utils._kafka import ExpectedError
from ansible_collections.raspi.kafka.plugins.modules import cluster_health
from ansible_collections.raspi.kafka.plugins.modules.cluster_health import (
    Wait,
    ask_quorum,
    check_options,
    look,
    not_safe,
    shown,
    verdicts_of,
    wait_until_safe,
)
from kafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    NotControllerError,
    RequestTimedOutError,
)

from tests.module_args import patch_module_args

STATES = Path(__file__).parents[1] / "module_utils" / "states"
PARAMS = {"node_id": 1, "fetch_timeout_ms": 5000, "request_timeout_ms": 30000, "patience": 10, "limit": 100}


def state(situation: str) -> State:
    return state_of(json.loads((STATES / f"{situation}.json").read_text()), 5000)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The time of the module: only its pauses take any."""
    now = SimpleNamespace(seconds=1000.0)

    def sleep(seconds: float) -> None:
        now.seconds += seconds

    for module in (cluster_health, _kafka):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now.seconds, sleep=sleep))
    return now


def looks(*situations: str) -> Callable[[], State]:
    """The states one after another, and the last one for ever."""

    def endless() -> Iterator[State]:
        yield from map(state, situations)
        while True:
            yield state(situations[-1])

    return endless().__next__


# --- waiting


@pytest.mark.usefixtures("clock")
def test_a_node_that_may_stop_is_not_waited_for() -> None:
    assert wait_until_safe(looks("healthy"), PARAMS)[1] == Wait()


@pytest.mark.usefixtures("clock")
def test_without_patience_the_first_look_decides() -> None:
    left, wait = wait_until_safe(looks("one_down", "healthy"), {**PARAMS, "patience": 0})
    assert not judge(left, 1).may_stop
    assert wait == Wait()


@pytest.mark.usefixtures("clock")
def test_patience_ends_after_its_seconds_without_progress() -> None:
    left, wait = wait_until_safe(looks("one_down"), PARAMS)
    assert not judge(left, 1).may_stop
    assert wait == Wait(10, 10, 10)


@pytest.mark.usefixtures("clock")
def test_progress_begins_patience_anew() -> None:
    situations = [*9 * ["one_down"], *9 * ["recovering"], *9 * ["catching_up"], "back"]
    left, wait = wait_until_safe(looks(*situations), PARAMS)
    assert judge(left, 1).may_stop
    assert wait.in_all == 27


@pytest.mark.usefixtures("clock")
def test_no_progress_is_waited_for_beyond_the_limit() -> None:
    left, wait = wait_until_safe(looks(*100 * ["one_down", "recovering"]), {**PARAMS, "limit": 30})
    assert not judge(left, 1).may_stop
    assert (wait.in_all, wait.idle) == (30, 0)


def test_the_time_of_a_look_is_no_pause(clock: SimpleNamespace) -> None:
    def slow() -> State:
        clock.seconds += 5
        return state("two_down")

    _left, wait = wait_until_safe(slow, PARAMS)
    assert wait == Wait(in_all=12, idle=12, paused=2)


# --- asking


def failing(monkeypatch: pytest.MonkeyPatch, *errors: KafkaError) -> list[KafkaError]:
    """The questions fail with the errors, and are answered then; returns what is left of the errors."""
    left = list(errors)

    def ask(_admin: Any, _params: Any) -> State:
        if left:
            raise left.pop(0)
        return state("healthy")

    monkeypatch.setattr(cluster_health, "ask", ask)
    return left


@pytest.mark.usefixtures("clock")
def test_another_broker_is_asked_when_one_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, KafkaConnectionError("refused"), KafkaConnectionError("refused"))
    assert look(None, PARAMS) == state("healthy")


@pytest.mark.usefixtures("clock")
def test_brokers_that_all_have_ended_are_a_failure_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    left = failing(monkeypatch, *1000 * [KafkaConnectionError("refused")])
    with pytest.raises(KafkaConnectionError):
        look(None, {**PARAMS, "request_timeout_ms": 10000})
    assert 1000 - len(left) == pytest.approx(51, abs=1)


@pytest.mark.usefixtures("clock")
def test_what_a_broker_refuses_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    left = failing(monkeypatch, ClusterAuthorizationFailedError(), ClusterAuthorizationFailedError())
    with pytest.raises(ClusterAuthorizationFailedError):
        look(None, PARAMS)
    assert len(left) == 1


def quorum_fails(monkeypatch: pytest.MonkeyPatch, error: KafkaError) -> dict[str, Any]:
    def describe_quorum(_admin: Any, _timeout_ms: int) -> None:
        raise error

    monkeypatch.setattr(cluster_health, "describe_quorum", describe_quorum)
    return ask_quorum(None, 5000)


@pytest.mark.parametrize(
    "error", [RequestTimedOutError("after 4999 ms"), RequestTimedOutError("after 5000 ms"), NotControllerError()]
)
def test_no_active_controller_is_a_sentence_that_stays_the_same(
    monkeypatch: pytest.MonkeyPatch, error: KafkaError
) -> None:
    kind = type(error).__name__
    assert quorum_fails(monkeypatch, error) == {
        "quorum": None,
        "no_quorum": f"no active controller answers: a majority of the voters may be down ({kind})",
        "adding": {},
    }


def test_a_quorum_that_is_not_to_be_described_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = quorum_fails(monkeypatch, ClusterAuthorizationFailedError())
    assert answer["no_quorum"].startswith("the quorum cannot be described: ")
    assert "Grant the principal access to the cluster" in answer["no_quorum"]


def test_a_broker_that_ends_meanwhile_does_not_stand_for_the_quorum(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KafkaConnectionError):
        quorum_fails(monkeypatch, KafkaConnectionError("refused"))


@pytest.mark.parametrize(("adding", "safe"), [((2, 3), True), ((3,), False), ((), False)])
def test_a_broker_is_not_held_by_copies_that_are_only_being_made(
    monkeypatch: pytest.MonkeyPatch, adding: tuple[int, ...], *, safe: bool
) -> None:
    """A growth that was cut off goes on behind the restart, and its replicas are not in sync before."""
    answers = json.loads((STATES / "healthy.json").read_text())
    grows = {"partition_index": 0, "leader_id": 1, "replica_nodes": [1, 2, 3], "isr_nodes": [1]}
    topics = [{"name": "telemetry", "partitions": [grows]}]
    admin = SimpleNamespace(describe_topics=lambda: topics, describe_cluster=lambda: answers["cluster"])
    min_isr = {"telemetry": {"min.insync.replicas": SimpleNamespace(value="1")}}
    monkeypatch.setattr(cluster_health, "describe_configs", lambda *_asked, **_keys: min_isr)
    monkeypatch.setattr(cluster_health, "describe_quorum", lambda *_asked: answers["quorum"])
    monkeypatch.setattr(
        cluster_health, "being_added", lambda *_asked: {("telemetry", 0): frozenset(adding)} if adding else {}
    )
    verdict = judge(look(admin, PARAMS), 1)  # type: ignore[arg-type]
    assert verdict.may_stop is safe
    assert any("telemetry: 1 partition" in told for told in verdict.named + verdict.reasons)


# --- telling


def test_a_node_that_nobody_knows_gets_a_verdict_too() -> None:
    assert [verdict.id for verdict in verdicts_of(state("healthy"), 9)] == [1, 2, 3, 9]
    assert [verdict.id for verdict in verdicts_of(state("healthy"), None)] == [1, 2, 3]


def test_the_state_is_told_by_id() -> None:
    down = state("dedicated_one_down")
    told = shown(down, verdicts_of(down, None))
    assert [(each["id"], each["may_stop"]) for each in told["verdicts"]] == [
        (1, True),
        (2, False),
        (3, False),
        (4, True),
        (5, True),
    ]
    assert told["leader_id"] == 2
    assert [(voter["id"], voter["caught_up"]) for voter in told["voters"]] == [(1, False), (2, True), (3, True)]
    assert [observer["id"] for observer in told["observers"]] == [4, 5]
    assert told["brokers"] == [
        {"id": 4, "fenced": False, "out_of_sync": 0},
        {"id": 5, "fenced": False, "out_of_sync": 0},
    ]
    assert len(told["voters"][0]["directory_id"]) == 22


def test_without_an_active_controller_the_state_has_no_voters() -> None:
    lost = state("two_down")
    told = shown(lost, verdicts_of(lost, None))
    assert (told["leader_id"], told["voters"], told["observers"]) == (None, [], [])
    assert len(told["brokers"]) == 3


def test_the_failure_is_a_sentence_with_some_reasons_and_how_long_it_was_waited() -> None:
    verdict = Verdict(3, reasons=[f"topic-{number} would fall" for number in range(7)])
    assert not_safe(verdict, Wait(31, 10, 31), PARAMS) == (
        "Node 3 may not stop now: topic-0 would fall; topic-1 would fall; topic-2 would fall; topic-3 would fall; "
        "topic-4 would fall; and 2 more reasons. After 31 s, the last 10 s of them without progress, it was given up. "
        "Bring back what is behind first, or wait longer."
    )
    assert "With patience: 0 it was not waited for" in not_safe(verdict, Wait(), {**PARAMS, "patience": 0})


@pytest.mark.parametrize("change", [{"fetch_timeout_ms": 500}, {"patience": -1}, {"limit": 0}])
def test_options_out_of_range_are_refused_by_name(change: dict[str, Any]) -> None:
    with pytest.raises(ExpectedError, match=next(iter(change))) as refused:
        check_options({**PARAMS, **change})
    assert refused.value.facts["reason"] == "invalid"


# --- the task


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], situation: str, **options: Any) -> Any:
    """The whole module, with the answers of brokers that were recorded."""
    monkeypatch.setattr(cluster_health, "admin_client", lambda _params: contextlib.nullcontext())
    monkeypatch.setattr(cluster_health, "ask", lambda _admin, _params: state(situation))
    with patch_module_args({"bootstrap_servers": ["pi-1:9092"], **options}), pytest.raises(SystemExit):
        cluster_health.main()
    return json.loads(capsys.readouterr().out)


def test_a_node_that_may_stop_passes_the_task(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run(monkeypatch, capsys, "healthy", node_id=1, _ansible_check_mode=True)
    assert (result["may_stop"], result["changed"], result["waited_s"]) == (True, False, 0)


def test_a_node_that_may_not_stop_fails_the_task_with_what_is_known(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run(monkeypatch, capsys, "one_down", node_id=1)
    assert (result.get("failed"), result.get("reason"), result["may_stop"]) == (True, "not_safe", False)
    assert result["msg"].startswith("Node 1 may not stop now: ")
    assert [verdict["may_stop"] for verdict in result["verdicts"]] == [False, False, True]
    assert result["voters"]


def test_without_a_node_the_task_tells_and_does_not_fail(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run(monkeypatch, capsys, "two_down", patience=60)
    assert not result.get("failed")
    assert "may_stop" not in result
    assert [verdict["may_stop"] for verdict in result["verdicts"]] == [False, False, False]


def test_a_limit_of_nothing_is_refused_before_anybody_is_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, capsys, "healthy", limit=0).get("reason") == "invalid"
