"""Verdicts on states that real brokers told, and on what follows from small changes of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.module_utils._gate import (
    Partition,
    State,
    Verdict,
    judge,
    progressed,
    state_of,
)

STATES = Path(__file__).parent / "states"
FETCH_TIMEOUT_MS = 5000
NEVER = -1


def recorded(name: str) -> dict[str, Any]:
    """What brokers answered in a situation, which the file tells."""
    return json.loads((STATES / f"{name}.json").read_text())


def state(answers: str | dict[str, Any]) -> State:
    return state_of(recorded(answers) if isinstance(answers, str) else answers, FETCH_TIMEOUT_MS)


def quorum_of(answers: dict[str, Any]) -> dict[str, Any]:
    return answers["quorum"]["topics"][0]["partitions"][0]


def voter_of(answers: dict[str, Any], node: int) -> dict[str, Any]:
    return next(voter for voter in quorum_of(answers)["current_voters"] if voter["replica_id"] == node)


def leader_of(answers: dict[str, Any]) -> dict[str, Any]:
    return voter_of(answers, quorum_of(answers)["leader_id"])


def behind(answers: dict[str, Any], node: int, milliseconds: int) -> dict[str, Any]:
    """The same, but a voter had the whole metadata log `milliseconds` before the active controller."""
    voter_of(answers, node)["last_caught_up_timestamp"] = leader_of(answers)["last_caught_up_timestamp"] - milliseconds
    return answers


def fetched(answers: dict[str, Any], node: int, milliseconds: int) -> dict[str, Any]:
    """The same, but a voter fetched last `milliseconds` before the active controller answered."""
    voter_of(answers, node)["last_fetch_timestamp"] = leader_of(answers)["last_fetch_timestamp"] - milliseconds
    return answers


def fence(answers: dict[str, Any], node: int, *, fenced: bool = True) -> dict[str, Any]:
    next(each for each in answers["cluster"]["brokers"] if each["broker_id"] == node)["is_fenced"] = fenced
    return answers


def unregister(answers: dict[str, Any], node: int) -> dict[str, Any]:
    brokers = answers["cluster"]["brokers"]
    brokers[:] = [broker for broker in brokers if broker["broker_id"] != node]
    return answers


def with_partitions(of: State, *partitions: tuple[str, set[int], set[int], int]) -> State:
    """The same nodes with other partitions: topic, replicas, ISR, min.insync.replicas."""
    return replace(
        of,
        partitions=tuple(
            Partition(topic, number, frozenset(replicas), frozenset(isr), min_isr)
            for number, (topic, replicas, isr, min_isr) in enumerate(partitions)
        ),
    )


def may_stop(of: State) -> list[int]:
    return [node for node in of.nodes if judge(of, node).may_stop]


# --- the quorum


@pytest.mark.parametrize(("situation", "nodes"), [("healthy", [1, 2, 3]), ("back", [1, 2, 3]), ("pair", [1, 2])])
def test_in_a_healthy_cluster_each_node_may_stop(situation: str, nodes: list[int]) -> None:
    assert may_stop(state(situation)) == nodes


def test_dedicated_controllers_and_brokers_may_stop_and_have_nothing_to_be_named() -> None:
    healthy = state("dedicated")
    assert [judge(healthy, node) for node in healthy.nodes] == [Verdict(node) for node in (1, 2, 3, 4, 5)]


def test_without_one_of_three_voters_no_other_one_may_stop() -> None:
    lost = state("dedicated_one_down")
    assert may_stop(lost) == [1, 4, 5]
    (reason,) = judge(lost, 2).reasons
    assert reason == (
        "1 of 3 voters would be caught up with the metadata log without it, fewer than the majority of 2 (behind: 1)"
    )


@pytest.mark.parametrize(("milliseconds", "safe"), [(4999, True), (5000, False)])
def test_a_voter_is_caught_up_by_time(milliseconds: int, *, safe: bool) -> None:
    assert judge(state(behind(recorded("dedicated"), 1, milliseconds)), 3).may_stop is safe


def test_a_voter_that_lacks_records_and_no_time_is_caught_up() -> None:
    answers = recorded("dedicated")
    voter_of(answers, 1)["log_end_offset"] -= 100
    assert may_stop(state(answers)) == [1, 2, 3, 4, 5]


def test_a_voter_that_never_was_caught_up_is_not() -> None:
    answers = recorded("dedicated")
    voter_of(answers, 1)["last_caught_up_timestamp"] = NEVER
    assert not judge(state(answers), 3).may_stop


def test_the_node_itself_need_not_be_caught_up() -> None:
    assert judge(state(behind(recorded("dedicated"), 1, 60000)), 1).may_stop


def test_the_majority_is_of_all_voters() -> None:
    """Of 4 voters 3 are needed, so that all others must be caught up."""
    answers = recorded("dedicated")
    voters = quorum_of(answers)["current_voters"]
    voters.append({**voter_of(answers, 1), "replica_id": 6})
    assert judge(state(answers), 6).may_stop
    (reason,) = judge(state(behind(answers, 1, 60000)), 6).reasons
    assert "2 of 4 voters" in reason
    assert "the majority of 3 (behind: 1)" in reason


def test_a_broker_is_not_held_by_the_quorum() -> None:
    answers = behind(behind(recorded("dedicated"), 1, 60000), 3, 60000)
    assert judge(state(answers), 4).may_stop


def test_the_only_controller_may_stop_and_that_is_named() -> None:
    verdict = judge(state("single"), 1)
    assert verdict.may_stop
    assert verdict.named[0] == "it is the only controller: the cluster stands still while it is down"


def test_one_of_two_voters_may_stop_and_that_is_named() -> None:
    verdict = judge(state("pair"), 2)
    assert verdict.may_stop
    assert verdict.named[0].startswith("it is one of two voters: there is no majority")


def test_one_of_two_voters_may_not_stop_while_the_other_is_behind() -> None:
    (reason,) = judge(state(behind(recorded("pair"), 2, 60000)), 1).reasons
    assert "(behind: 2)" in reason


def test_without_an_active_controller_no_node_may_stop() -> None:
    lost = state("two_down")
    assert [judge(lost, node).reasons for node in (1, 2, 3)] == 3 * [
        ["no active controller answers: a majority of the voters may be down (RequestTimedOutError)"]
    ]


@pytest.mark.parametrize("leader", [-1, 4])
def test_an_active_controller_that_is_no_voter_is_none(leader: int) -> None:
    answers = recorded("dedicated")
    quorum_of(answers)["leader_id"] = leader
    unled = state(answers)
    assert unled.leader_id is None
    assert judge(unled, 5).reasons == ["no voter is the active controller at the moment"]


# --- partitions


def test_a_partition_that_would_fall_below_min_isr_holds_its_brokers() -> None:
    assert judge(state("one_down"), 1).reasons[1:] == [
        "alerts: 1 partition would fall below min.insync.replicas=2 (ISR now 1,2): broker 3 is down",
        "telemetry: 6 partitions would fall below min.insync.replicas=2 (ISR now 1,2): broker 3 is down",
    ]


def test_a_partition_that_keeps_min_isr_does_not() -> None:
    four = with_partitions(state("healthy"), ("telemetry", {1, 2, 3, 4}, {1, 2, 3}, 2))
    assert judge(four, 1).may_stop


def test_a_partition_of_other_brokers_does_not() -> None:
    other = with_partitions(state("healthy"), ("telemetry", {1, 2, 4}, {1}, 2))
    assert judge(other, 3) == Verdict(3)


def test_a_partition_below_min_isr_holds_a_broker_that_is_needed_to_bring_it_back() -> None:
    waits = with_partitions(state("healthy"), ("telemetry", {1, 2, 3}, {1}, 2))
    assert judge(waits, 3).reasons == [
        "telemetry: 1 partition below min.insync.replicas=2 (ISR now 1) cannot come back without it: "
        "broker 2 is catching up"
    ]


def test_a_partition_that_has_min_isr_without_the_broker_does_not_hold_it() -> None:
    assert judge(state("catching_up"), 3).may_stop


def test_a_partition_with_one_replica_is_named_and_does_not_hold() -> None:
    assert "scratch: 1 partition cannot be used at all while it is down" in judge(state("healthy"), 1).named


def test_a_partition_with_no_more_replicas_than_min_isr_is_named_and_does_not_hold() -> None:
    sentence = (
        "pair: 2 partitions cannot be written to while it is down, having no more replicas than min.insync.replicas=2"
    )
    assert sentence in judge(state("healthy"), 1).named


def test_a_partition_whose_only_replica_in_sync_is_on_the_node_cannot_be_used_at_all() -> None:
    assert "pair: 1 partition cannot be used at all while it is down" in judge(state("one_down"), 1).named


def test_the_last_replica_in_sync_holds_where_there_could_be_more() -> None:
    alone = with_partitions(state("healthy"), ("telemetry", {1, 2}, {1}, 1))
    assert judge(alone, 1).reasons == [
        "telemetry: 1 partition would fall below min.insync.replicas=1 (ISR now 1): broker 2 is catching up"
    ]


def test_each_topic_is_one_sentence_with_the_isrs_of_its_partitions() -> None:
    isrs = ({1, 2}, {1, 3}, {1, 4}, {1, 5})
    many = with_partitions(
        state("healthy"), *[("telemetry", {1, 2, 3, 4, 5}, isr, 2) for isr in isrs for _twice in "ab"]
    )
    (reason,) = judge(many, 1).reasons
    assert reason.startswith(
        "telemetry: 8 partitions would fall below min.insync.replicas=2 (ISR now 1,2 or 1,3 or 1,4 or 1 others)"
    )


# --- nodes that do not serve


def test_a_broker_that_recovers_its_log_may_not_stop() -> None:
    assert judge(state("recovering"), 3).reasons == [
        "broker 3 is fenced but fetches metadata: it is loading or recovering its log, which a stop would make it "
        "begin anew"
    ]


@pytest.mark.parametrize(("milliseconds", "safe"), [(4999, False), (5000, True)])
def test_a_fenced_broker_runs_if_it_fetched_lately(milliseconds: int, *, safe: bool) -> None:
    assert judge(state(fetched(recorded("recovering"), 3, milliseconds)), 3).may_stop is safe


def test_a_broker_with_replicas_that_is_not_registered_recovers_too() -> None:
    assert judge(state(unregister(recorded("recovering"), 3)), 3).reasons[0].startswith("broker 3 is not registered")


def test_another_brokers_recovery_is_told_with_the_partitions_that_wait_for_it() -> None:
    reasons = judge(state("recovering"), 1).reasons
    assert reasons[1].endswith("(ISR now 1,2): broker 3 is recovering its log")


@pytest.mark.parametrize(("situation", "node"), [("one_down", 3), ("dedicated_one_down", 1), ("leader_down", 2)])
def test_a_node_that_is_down_may_stop(situation: str, node: int) -> None:
    verdict = judge(state(situation), node)
    assert verdict.may_stop
    assert verdict.named == [f"node {node} fetches no metadata any more: it is down, and its stop takes nothing away"]


def test_a_node_that_is_down_is_not_held_by_partitions_or_voters_that_lack_it() -> None:
    lost = with_partitions(state(behind(recorded("one_down"), 1, 60000)), ("telemetry", {1, 2, 3}, {1}, 2))
    assert not judge(lost, 2).may_stop
    assert judge(lost, 3).may_stop


def test_a_voter_that_a_new_active_controller_has_not_heard_of_is_held_by_the_quorum() -> None:
    """It may run, and fetch in a moment."""
    answers = behind(recorded("dedicated"), 1, 60000)
    voter_of(answers, 3)["last_fetch_timestamp"] = NEVER
    assert not judge(state(answers), 3).may_stop


def test_an_observer_that_recovers_may_not_stop() -> None:
    answers = fence(recorded("dedicated"), 4)
    assert not judge(state(answers), 4).may_stop


def test_an_observer_that_is_no_broker_may_stop() -> None:
    """A controller that has not joined the voters has nothing that anybody needs."""
    answers = recorded("dedicated")
    voters, observers = quorum_of(answers)["current_voters"], quorum_of(answers)["observers"]
    observers.append({**voter_of(answers, 1), "replica_id": 6})
    assert len(voters) == 3
    assert judge(state(answers), 6) == Verdict(6)


def test_a_node_that_nobody_knows_is_named_as_such() -> None:
    assert judge(state("healthy"), 9).named == [
        "node 9 is neither a voter nor a registered broker, and fetches no metadata"
    ]


def test_what_is_told_of_the_nodes() -> None:
    told = state("recovering")
    assert told.nodes == [1, 2, 3]
    assert told.fenced == {1: False, 2: False, 3: True}
    assert told.recovering == [3]
    assert [told.is_caught_up(voter) for voter in told.voters] == [True, True, False]


# --- progress


def test_an_equal_state_is_no_progress() -> None:
    assert not progressed(state("one_down"), state("one_down"), 1)


@pytest.mark.parametrize(
    ("before", "now"), [("one_down", "recovering"), ("recovering", "catching_up"), ("catching_up", "back")]
)
def test_each_step_of_a_node_that_comes_back_is_progress(before: str, now: str) -> None:
    assert progressed(state(before), state(now), 1)
    assert not progressed(state(now), state(now), 1)


def test_a_clock_that_goes_on_is_no_progress() -> None:
    later = recorded("one_down")
    for node in (1, 2):
        for clock in ("last_fetch_timestamp", "last_caught_up_timestamp"):
            voter_of(later, node)[clock] += 1000
    assert not progressed(state("one_down"), state(later), 1)


def test_an_isr_that_grows_is_progress_and_one_that_shrinks_is_not() -> None:
    """Of a topic that does not hold the node, so that the reasons stay as they are."""
    small = with_partitions(state("healthy"), ("telemetry", {1, 2, 3}, {2}, 1))
    large = with_partitions(state("healthy"), ("telemetry", {1, 2, 3}, {2, 3}, 1))
    assert progressed(small, large, 1)
    assert not progressed(large, small, 1)


def test_a_new_topic_is_no_progress() -> None:
    assert not progressed(with_partitions(state("healthy")), state("healthy"), 1)


def test_a_broker_that_is_no_longer_fenced_is_progress() -> None:
    fenced, unfenced = state(fence(recorded("dedicated"), 5)), state("dedicated")
    assert progressed(fenced, unfenced, 4)
    assert not progressed(unfenced, fenced, 1)


def test_a_voter_that_has_caught_up_is_progress() -> None:
    late = state(behind(recorded("dedicated"), 1, 60000))
    assert progressed(late, state("dedicated"), 4)
    assert not progressed(state("dedicated"), late, 4)


def test_a_recovering_broker_that_still_fetches_is_progress() -> None:
    later = fetched(recorded("recovering"), 3, 0)
    assert progressed(state("recovering"), state(later), 1)


def test_a_serving_broker_that_still_fetches_is_none() -> None:
    later = fetched(recorded("catching_up"), 3, 0)
    assert not progressed(state("catching_up"), state(later), 1)


def test_other_reasons_are_progress() -> None:
    """As where a topic that held the node has been deleted."""
    held = with_partitions(state("healthy"), ("telemetry", {1, 2, 3}, {1, 2}, 2))
    assert progressed(held, with_partitions(held), 1)
    assert not progressed(held, with_partitions(held), 3)
