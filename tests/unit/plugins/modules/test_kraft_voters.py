from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.module_utils import _kafka
from ansible_collections.raspi.kafka.plugins.module_utils._kafka import ExpectedError
from ansible_collections.raspi.kafka.plugins.modules import kraft_voters
from ansible_collections.raspi.kafka.plugins.modules.kraft_voters import (
    Quorum,
    Replica,
    Step,
    Wanted,
    await_step,
    check,
    check_dynamic,
    check_majority,
    judge,
    kraft_version_of,
    parse_quorum,
    plan,
    predict,
    read,
    request_change,
    settle,
)
from kafka.errors import ClusterAuthorizationFailedError, KafkaConnectionError, KafkaTimeoutError

LONG_AGO = 60000  # ms
SUBJECT = "admit node 2 at pi-2:9093 as a voter"


def replica(node: int, directory: str = "A", age: int | None = 100, caught_up: int | None = 200) -> Replica:
    return Replica(node, directory, log_end_offset=50, lag=7, fetch_age_ms=age, caught_up_age_ms=caught_up)


def dead(node: int, directory: str = "A") -> Replica:
    return replica(node, directory, LONG_AGO, LONG_AGO)


def quorum(*voters: Replica, observers: Iterable[Replica] = ()) -> Quorum:
    return Quorum(1, voters, tuple(observers), "pi-1:9093")


def wanted(*ids: int) -> list[Wanted]:
    return [Wanted(node, f"pi-{node}", 9093) for node in ids]


ONE, TWO, THREE = wanted(1, 2, 3)
REPLACED = quorum(replica(1), replica(2), dead(3), observers=[replica(3, "B")])


# --- the declaration


def test_what_no_quorum_can_have_is_refused() -> None:
    refused = check([*wanted(1, 2, 2), Wanted(3, "pi-3", 0), Wanted(4, "", 9093), Wanted(5, "pi-5", 65536)], 60)
    assert [sentence.split(" declare")[0] for sentence in refused] == ["Voter 2 is", "Voter 3", "Voter 4", "Voter 5"]
    assert check(wanted(1, 2, 3), 1) == check(wanted(1), 3600) == []


@pytest.mark.parametrize("patience", [0, 3601])
def test_patience_has_limits(patience: int) -> None:
    assert check(wanted(1), patience) == [f"patience is {patience}. Choose 1 to 3600 s."]


# --- the plan


def test_observers_are_admitted_in_the_declared_order() -> None:
    current = quorum(replica(1), observers=[replica(2, "B"), replica(3, "C")])
    assert plan(current, wanted(3, 1, 2)) == [Step(THREE, "C"), Step(TWO, "B")]


def test_a_vote_by_another_directory_than_the_declared_one_does_not_count() -> None:
    """The leader has just changed, and has not heard of the new directory yet."""
    new = Wanted(3, "pi-3", 9093, directory_id="B")
    assert plan(quorum(replica(1), replica(2), dead(3)), [new]) == [Step(new, "B", lost="A")]
    assert plan(quorum(replica(1), replica(2), replica(3, "B")), [new]) == []
    assert plan(quorum(replica(1), replica(2)), [new]) == [Step(new, "B")]
    assert plan(quorum(replica(1), replica(2), Replica(3, None)), [new]) == []  # type: ignore[arg-type]


def test_an_observer_with_another_directory_than_the_declared_one_is_not_waited_for() -> None:
    new = Wanted(3, "pi-3", 9093, directory_id="B")
    current = quorum(replica(1), replica(2), observers=[replica(3, "A", age=0), replica(3, "B", age=400)])
    assert current.observer(new) == replica(3, "B", age=400)


def test_a_controller_that_is_not_there_yet_is_planned() -> None:
    assert plan(quorum(replica(1)), wanted(1, 2)) == [Step(TWO)]


def test_voters_have_nothing_to_do_whether_they_run_or_not() -> None:
    assert plan(quorum(replica(1), dead(2), replica(3, age=None)), wanted(1, 2, 3)) == []


def test_observers_and_voters_that_are_not_declared_are_left_alone() -> None:
    assert plan(quorum(replica(1), replica(4), observers=[replica(5)]), wanted(1)) == []


def test_of_two_directories_of_an_observer_the_one_in_use_is_admitted() -> None:
    current = quorum(replica(1), observers=[dead(2, "OLD"), replica(2, "NEW"), replica(2, "NEVER", age=None)])
    assert plan(current, wanted(2)) == [Step(TWO, "NEW")]


def test_a_voter_that_came_back_with_another_directory_is_replaced() -> None:
    assert plan(REPLACED, wanted(1, 2, 3)) == [Step(THREE, "B", lost="A")]


@pytest.mark.parametrize("voter", [replica(3, "B"), replica(3, "B", age=30000)])
def test_a_former_directory_that_is_still_listed_does_not_replace_the_voter(voter: Replica) -> None:
    current = quorum(replica(1), replica(2), voter, observers=[dead(3, "A"), replica(3, "C", age=None)])
    assert plan(current, wanted(3)) == []


# A new card of node 3 beside its old one, of which the quorum heard last.
NEW_CARD = Wanted(3, "pi-3", 9093, "NEW")


@pytest.mark.parametrize("observers", [[], [replica(3, "NEW", age=None)], [replica(3, "NEW", age=30000)]])
def test_a_vote_by_another_directory_than_the_one_named_is_not_its_own(observers: list[Replica]) -> None:
    assert plan(quorum(replica(1), replica(2), replica(3, "OLD"), observers=observers), [NEW_CARD]) == [
        Step(NEW_CARD, "NEW", lost="OLD")
    ]


def test_a_vote_by_the_directory_that_is_named_stays_whatever_else_is_listed() -> None:
    current = quorum(replica(1), replica(2), dead(3, "NEW"), observers=[replica(3, "OLD")])
    assert plan(current, [NEW_CARD]) == []


def test_a_voter_is_not_replaced_without_a_majority_of_the_others() -> None:
    current = quorum(replica(1), dead(2), dead(3), observers=[replica(3, "B")])
    with pytest.raises(ExpectedError, match=r"2 have to have .*, and 1 have it \(not: 2\)") as refused:
        plan(current, wanted(1, 2, 3))
    assert refused.value.facts["reason"] == "refused"


@pytest.mark.parametrize(
    ("others", "enough"),
    [
        ([], False),
        ([replica(1)], True),
        ([replica(1), replica(2)], True),
        ([replica(1), replica(2, caught_up=LONG_AGO)], False),
        ([replica(1), replica(2, caught_up=None)], False),
        ([replica(1), replica(2), dead(4)], True),
        ([replica(1), replica(2), dead(4), dead(5)], False),
        ([replica(1), replica(2), replica(4), dead(5)], True),
    ],
)
def test_a_majority_of_the_other_voters_has_to_be_caught_up(others: list[Replica], *, enough: bool) -> None:
    assert (check_majority(quorum(*others, dead(3)), 3) is None) is enough


def test_a_plan_can_be_read() -> None:
    steps = [Step(TWO, "B"), Step(THREE, "C", lost="A"), Step(Wanted(4, "fe80::1", 9093))]
    assert [str(step) for step in steps] == [
        "admit node 2 at pi-2:9093 as a voter",
        "replace log directory A of voter 3 by C",
        "admit node 4 at [fe80::1]:9093 as a voter",
    ]


def test_the_voters_after_a_plan_are_predicted() -> None:
    steps = [Step(THREE, "C", lost="A"), Step(TWO)]
    assert predict(quorum(replica(1), replica(3)), steps) == [
        {"id": 1, "directory_id": "A"},
        {"id": 2, "directory_id": None},
        {"id": 3, "directory_id": "C"},
    ]


# --- what is read


def described(node: int, fetched: int | None, caught_up: int | None) -> dict[str, Any]:
    known = {"id": node, "directory_id": "A", "log_end_offset": 9, "lag": 1}
    lag = None if caught_up is None else 5000 - caught_up
    return {**known, "last_fetch_timestamp": fetched, "last_caught_up_timestamp": caught_up, "caught_up_lag_ms": lag}


def test_ages_are_counted_by_the_clock_of_the_active_controller() -> None:
    found = parse_quorum(
        {
            "leader_id": 2,
            "voters": [described(1, 4000, 3000), described(2, 5000, 5000)],
            "observers": [described(3, None, None)],
            "endpoints": [{"id": 2, "listener": "CONTROLLER", "host": "::1", "port": 9093}],
        }
    )
    assert found.voters[0] == Replica(1, "A", 9, 1, fetch_age_ms=1000, caught_up_age_ms=2000)
    assert found.observers[0] == Replica(3, "A", 9, 1)
    assert found.leader_address == "[::1]:9093"


def test_a_static_quorum_is_refused() -> None:
    assert kraft_version_of({"kraft.version": {"supported": (0, 1)}}) == 0
    assert kraft_version_of({"kraft.version": {"finalized": (1, 1)}}) == 1
    check_dynamic(1)
    with pytest.raises(ExpectedError, match=r"static \(kraft\.version 0\).*upgrade --feature kraft\.version=1"):
        check_dynamic(0)


# --- waiting


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second passes with each pause."""
    seconds = itertools.count()
    passed = {"now": next(seconds)}
    fake = SimpleNamespace(monotonic=lambda: passed["now"], sleep=lambda _s: passed.update(now=next(seconds)))
    monkeypatch.setattr(kraft_voters, "time", fake)
    monkeypatch.setattr(_kafka, "time", fake)


def behind(offset: int) -> Quorum:
    return quorum(replica(1), observers=[Replica(2, "B", offset, 99, 100, LONG_AGO)])


READY = quorum(replica(1), observers=[replica(2, "B")])


@pytest.mark.usefixtures("clock")
def test_an_observer_is_waited_for_as_long_as_it_makes_progress() -> None:
    seen = iter([quorum(replica(1)), quorum(replica(1)), *(behind(offset) for offset in range(30)), READY])
    assert await_step(lambda: next(seen), Step(TWO), patience=3) == READY


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(
    ("found", "step", "sentence", "reason"),
    [
        (quorum(replica(1)), Step(TWO), "Node 2 does not follow the quorum: .* node 1 at pi-1:9093", "no_progress"),
        (behind(7), Step(TWO), "Node 2 lacks 99 records", "no_progress"),
        (
            quorum(replica(1), replica(2), replica(3), observers=[replica(3, "B")]),
            Step(THREE, "B", lost="A"),
            "Two controllers run with node id 3, with the log directories A and B",
            "refused",
        ),
        (
            quorum(replica(1), dead(2), dead(3), observers=[replica(3, "B")]),
            Step(THREE, "B", lost="A"),
            r"1 have it \(not: 2\)",
            "refused",
        ),
    ],
)
def test_a_step_that_does_not_come_nearer_is_given_up(found: Quorum, step: Step, sentence: str, reason: str) -> None:
    with pytest.raises(ExpectedError, match=sentence) as failure:
        await_step(lambda: found, step, patience=3)
    assert failure.value.facts["reason"] == reason


@pytest.mark.parametrize(
    ("found", "step"),
    [
        (READY, Step(TWO)),
        (REPLACED, Step(THREE, "B", lost="A")),
        (quorum(replica(1), replica(2), observers=[replica(3, "B")]), Step(THREE, "B", lost="A")),
        (quorum(replica(1), replica(2)), Step(TWO)),
        (quorum(replica(1), replica(2), replica(3, "B")), Step(THREE, "B", lost="A")),
    ],
)
def test_a_step_that_can_be_taken_or_was_taken_is_not_waited_for(found: Quorum, step: Step) -> None:
    assert await_step(lambda: found, step, patience=1) == found


class Admin:
    """Answers the same each time: what it is given, or raises it."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def describe_metadata_quorum(self) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(
    "answer", [{"topics": [{"partitions": [{"error": "none leads"}]}]}, KafkaConnectionError(), KafkaTimeoutError()]
)
def test_a_quorum_without_a_leader_is_asked_again_and_then_a_sentence(answer: Any) -> None:
    with pytest.raises(ExpectedError, match="No active controller answers") as failure:
        read(Admin(answer), 3000)
    assert failure.value.facts["reason"] == "no_leader"


@pytest.mark.usefixtures("clock")
def test_what_will_not_change_is_not_asked_again() -> None:
    with pytest.raises(ClusterAuthorizationFailedError):
        read(Admin(ClusterAuthorizationFailedError()), 3000)


# --- writing


@pytest.mark.parametrize("code", [0, 6, 7, 41, 126, 127])
def test_an_answer_that_leaves_it_open_is_looked_after(code: int) -> None:
    assert judge(code, None, SUBJECT)


@pytest.mark.parametrize(
    ("code", "hint"), [(31, "Grant"), (35, "is 0"), (42, "controller.listener.names"), (104, "two clusters")]
)
def test_an_answer_that_refuses_is_a_sentence(code: int, hint: str) -> None:
    with pytest.raises(ExpectedError, match=f"Cannot admit node 2 .*{hint}") as refused:
        judge(code, "kraft.version is 0" if code == 35 else None, SUBJECT)
    assert refused.value.facts["reason"] == "refused"


def test_a_request_that_may_have_been_lost_is_looked_after(monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(_admin: Any, _request: Any) -> None:
        raise KafkaTimeoutError("too slow")

    monkeypatch.setattr(kraft_voters, "send", lose)
    assert "too slow" in request_change(None, None, SUBJECT)


@pytest.mark.usefixtures("clock")
def test_a_change_is_asked_for_until_the_quorum_shows_it() -> None:
    asked: list[int] = []
    settle(lambda: READY, lambda _found: len(asked) == 3, lambda: asked.append(1) or "not yet.", SUBJECT, 5000)
    assert len(asked) == 3


@pytest.mark.usefixtures("clock")
def test_a_change_that_the_quorum_does_not_show_is_a_failure() -> None:
    with pytest.raises(ExpectedError, match=r"as a voter within 2 s: not yet\.") as failure:
        settle(lambda: READY, lambda _found: False, lambda: "not yet.", SUBJECT, 2000)
    assert failure.value.facts["reason"] == "timeout"


class Brokers:
    """A quorum that makes the changes it is asked for; `requests` are the classes of those."""

    def __init__(self, voters: list[Replica], observers: list[Replica], level: int = 1) -> None:
        self.voters, self.observers, self.level = {one.id: one for one in voters}, observers, level
        self.requests: list[str] = []

    def describe_cluster(self) -> dict[str, str]:
        return {"cluster_id": "SJfWeO2iSRWLV7Ro2fYLPQ"}

    def describe_features(self) -> dict[str, Any]:
        return {"kraft.version": {"finalized": (self.level, self.level)}}

    def look(self) -> Quorum:
        return quorum(*(self.voters[node] for node in sorted(self.voters)), observers=self.observers)

    def send(self, request: Any) -> SimpleNamespace:
        self.requests.append(request.name)
        node = request.voter_id
        if request.name == "RemoveRaftVoterRequest":
            del self.voters[node]
        else:
            self.voters[node] = next(one for one in self.observers if one.id == node)
            self.observers = [one for one in self.observers if one.id != node]
        return SimpleNamespace(error_code=0, error_message=None)


A, B, C = "PXv7w13gR0SWQcyOloW7bg", "SJfWeO2iSRWLV7Ro2fYLPQ", "QJfWeO2iSRWLV7Ro2fYLPQ"


def work(
    monkeypatch: pytest.MonkeyPatch, brokers: Brokers, *ids: int, check_mode: bool = False, patience: int = 5
) -> dict[str, Any]:
    monkeypatch.setattr(kraft_voters, "admin_client", lambda _params: contextlib.nullcontext(brokers))
    monkeypatch.setattr(kraft_voters, "read", lambda admin, _timeout: admin.look())
    monkeypatch.setattr(kraft_voters, "send", lambda admin, request: admin.send(request))
    params = {"voters": [vars(one) for one in wanted(*ids)], "listener": "CONTROLLER", "patience": patience}
    return kraft_voters.work(SimpleNamespace(params={**params, "request_timeout_ms": 1000}, check_mode=check_mode))


@pytest.mark.usefixtures("clock")
def test_a_dry_run_predicts_a_run_which_is_none_the_second_time(monkeypatch: pytest.MonkeyPatch) -> None:
    brokers = Brokers([replica(1, A), replica(2, A), dead(3, A), replica(7, A)], [replica(3, B), replica(4, C)])
    predicted = work(monkeypatch, brokers, 1, 3, 4, check_mode=True)
    assert brokers.requests == []
    result = work(monkeypatch, brokers, 1, 3, 4)
    assert result == predicted
    assert brokers.requests == ["RemoveRaftVoterRequest", "AddRaftVoterRequest", "AddRaftVoterRequest"]
    assert [voter["id"] for voter in result["foreign_voters"]] == [2, 7]
    assert result["diff"]["before"]["voters"][2] == {"id": 3, "directory_id": A}
    assert result["diff"]["after"]["voters"][2] == {"id": 3, "directory_id": B}
    second = work(monkeypatch, brokers, 1, 3, 4)
    assert (second["changed"], second["actions"], len(brokers.requests)) == (False, [], 3)


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(("ids", "level", "patience"), [((2, 2), 1, 5), ((2,), 0, 5), ((2,), 1, 0)])
def test_what_is_refused_is_not_sent(
    monkeypatch: pytest.MonkeyPatch, ids: tuple[int, ...], level: int, patience: int
) -> None:
    brokers = Brokers([replica(1, A)], [replica(2, B)], level)
    with pytest.raises(ExpectedError, match="Nothing was changed"):
        work(monkeypatch, brokers, *ids, patience=patience)
    assert brokers.requests == []


@pytest.mark.usefixtures("clock")
def test_a_static_quorum_whose_voters_are_as_declared_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not work(monkeypatch, Brokers([replica(1, A)], [], level=0), 1)["changed"]


@pytest.mark.usefixtures("clock")
def test_an_observer_that_lags_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    brokers = Brokers([replica(1, A)], [replica(2, B, caught_up=LONG_AGO)])
    with pytest.raises(ExpectedError, match="lacks 7 records"):
        work(monkeypatch, brokers, 2)
    assert brokers.requests == []
