"""Whether a stage of a load test held what is claimed, and by which number that is shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from raspi_kafka.report import ledger as ledgers
from raspi_kafka.report.report import judged
from raspi_kafka.report.verdict import FAILED, INVALID, PASSED, Verdict, exit_code

from tests.unit.edge import ledgers as made

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PRODUCERS = "no producer failed or lost its connection"
CONNECTIONS = "the MQTT broker kept accepting connections"
STORED = "every acknowledged message is in Kafka"
SENT_STORED = "every sent message is in Kafka"
ORDER = "each device's messages are in order"
KEPT_UP = "consumers kept up"
EACH_GROUP = "each consumer group got every stored message"
SOON = "messages come to consumers within a second"

KINDS = ("fault", "storm", "pause", "burst")

Judge = "Callable[[dict[str, Any]], Verdict]"


@pytest.fixture
def judge(tmp_path: Path) -> Callable[[dict[str, Any]], Verdict]:
    def of(said: dict[str, Any]) -> Verdict:
        path = tmp_path / "ledger.json"
        path.write_text(json.dumps(made.ledger(said)))
        return judged(ledgers.load(path))[0].verdict

    return of


def evidence(verdict: Verdict, claim: str) -> str:
    return next(row.evidence for row in verdict.rows if row.claim == claim)


def broken(verdict: Verdict) -> list[str]:
    return [row.claim for row in verdict.failed]


def test_a_stage_without_harm_passes_by_its_numbers(judge: Judge) -> None:
    verdict = judge(made.stage(devices=5, seconds=10))
    assert (verdict.state, verdict.failed) == (PASSED, [])
    assert evidence(verdict, PRODUCERS) == (
        "0 disconnects, 0 refused; 0 of 50 messages never sent; 0 of 50 messages without acknowledgement; 0 resent"
    )
    assert evidence(verdict, CONNECTIONS) == "5 of 5 devices connected and sent 50 of about 50 messages"
    assert evidence(verdict, STORED) == "0 of 50 acknowledged, not stored; 0 duplicated"
    assert evidence(verdict, ORDER) == "out of order: 0 in Kafka, 0 consumed by a, 0 consumed by b"
    assert evidence(verdict, EACH_GROUP) == "a 50 of 50; b 50 of 50"


def test_one_message_that_is_not_stored_is_named(judge: Judge) -> None:
    said = made.stage()
    device = said["devices"]["sim-00003"]
    for pairs in (device["stored"], *device["groups"].values()):
        pairs[:] = [pair for pair in pairs if pair[0] != 6]
    verdict = judge(said)
    assert (verdict.state, broken(verdict)) == (FAILED, [STORED])
    assert evidence(verdict, STORED) == "1 of 50 acknowledged, not stored (sim-00003 seq 6); 0 duplicated"


def test_one_message_that_a_group_did_not_get_is_named(judge: Judge) -> None:
    said = made.stage()
    said["devices"]["sim-00002"]["groups"]["a"].pop(4)
    verdict = judge(said)
    assert (verdict.state, broken(verdict)) == (FAILED, [EACH_GROUP])
    assert evidence(verdict, EACH_GROUP) == "a 49 of 50; not consumed by a: 1 (sim-00002 seq 4); b 50 of 50"


def test_a_record_that_a_group_got_and_the_log_has_not_is_named(judge: Judge) -> None:
    said = made.stage()
    said["devices"]["sim-00002"]["groups"]["b"].append([4711, 9000.0])
    verdict = judge(said)
    assert broken(verdict) == [EACH_GROUP]
    assert "consumed by b and not stored: 1 (sim-00002 seq 4711)" in evidence(verdict, EACH_GROUP)


def test_a_stored_message_that_was_never_sent_is_named(judge: Judge) -> None:
    said = made.stage()
    device = said["devices"]["sim-00002"]
    for pairs in (device["stored"], *device["groups"].values()):
        pairs.append([10, 11_000.0])
    verdict = judge(said)
    assert broken(verdict) == [STORED]
    assert "1 stored that this stage never sent (sim-00002 seq 10)" in evidence(verdict, STORED)


def test_of_many_messages_a_few_are_named(judge: Judge) -> None:
    said = made.stage(devices=9)
    for device in said["devices"].values():
        device["stored"].pop()
    assert "(sim-00001 seq 9, sim-00002 seq 9, sim-00003 seq 9 and 6 more)" in evidence(judge(said), STORED)


def test_duplicates_are_told_and_do_not_fail(judge: Judge) -> None:
    said = made.stage()
    device = said["devices"]["sim-00001"]
    for pairs in (device["stored"], *device["groups"].values()):
        pairs.append([3, 10_500.0])
    verdict = judge(said)
    assert verdict.state == PASSED
    assert evidence(verdict, STORED) == "0 of 50 acknowledged, not stored; 1 duplicated"


@pytest.mark.parametrize("place", ["in Kafka", "consumed by a", "consumed by b"])
def test_disorder_fails_wherever_it_is(judge: Judge, place: str) -> None:
    said = made.stage()
    device = said["devices"]["sim-00004"]
    pairs = device["stored"] if place == "in Kafka" else device["groups"][place[-1]]
    pairs[1], pairs[2] = pairs[2], pairs[1]
    verdict = judge(said)
    assert broken(verdict) == [ORDER]
    assert f"1 {place}" in evidence(verdict, ORDER)
    assert evidence(verdict, ORDER).endswith("(sim-00004)")


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_without_acknowledgement_fails_its_producer_whatever_was_planted(judge: Judge, kind: str) -> None:
    said = made.stage(events=((3000.0, "something was done", kind),))
    said["devices"]["sim-00005"]["acked"][8] = None
    verdict = judge(said)
    assert broken(verdict) == [PRODUCERS]
    assert "1 of 50 messages without acknowledgement (sim-00005 seq 8)" in evidence(verdict, PRODUCERS)


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_a_message_that_was_never_sent_fails_its_producer_whatever_was_planted(
    judge: Judge, kind: str, qos: int
) -> None:
    said = made.stage(qos=qos, events=((3000.0, "something was done", kind),))
    said["devices"]["sim-00002"]["made"] += 57
    verdict = judge(said)
    assert broken(verdict) == [PRODUCERS]
    named = "(sim-00002 seq 10, sim-00002 seq 11, sim-00002 seq 12 and 54 more)"
    assert f"57 of 107 messages never sent {named}" in evidence(verdict, PRODUCERS)


@pytest.mark.parametrize("what", ["disconnects", "refused"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_lost_connection_fails_unless_a_fault_or_a_storm_was_planted(judge: Judge, kind: str, what: str) -> None:
    said = made.stage()
    said["devices"]["sim-00001"][what] = 3
    assert broken(judge(said)) == [PRODUCERS]
    said["events"] = [[3000.0, "something was done", kind]]
    verdict = judge(said)
    told = f", told only: a {kind} was planted" in evidence(verdict, PRODUCERS)
    assert (broken(verdict), told) == (([], True) if kind in ("fault", "storm") else ([PRODUCERS], False))


def test_nothing_is_excused_where_nothing_happened(judge: Judge) -> None:
    verdict = judge(made.stage(events=((3000.0, "mosquitto killed", "fault"),)))
    assert "told only" not in evidence(verdict, PRODUCERS) + evidence(verdict, SOON)


def test_a_device_that_never_sent_was_not_accepted(judge: Judge) -> None:
    said = made.stage()
    counts = {"made": 10, "disconnects": 0, "refused": 0, "resent": 0}
    said["devices"]["sim-00005"] = {"sent": [], "acked": [], "stored": [], "groups": {}, **counts}
    verdict = judge(said)
    assert (verdict.state, broken(verdict)) == (FAILED, [PRODUCERS, CONNECTIONS])
    assert evidence(verdict, CONNECTIONS).startswith("4 of 5 devices")


def test_a_generator_that_lost_devices_makes_a_stage_invalid_and_the_broker_is_not_blamed(judge: Judge) -> None:
    said = made.stage()
    for name in ("sim-00004", "sim-00005"):
        del said["devices"][name]
    verdict = judge(said)
    assert (verdict.state, broken(verdict)) == (INVALID, ["the generator kept its schedule"])
    assert verdict.generator.evidence.endswith("; it lost a worker: nobody tells of 2 of 5 devices")
    assert evidence(verdict, CONNECTIONS) == "3 of 3 devices connected and sent 30 of about 30 messages"


def test_a_stage_in_which_nothing_happened_does_not_pass(judge: Judge) -> None:
    said = made.stage()
    said["devices"] = {}
    verdict = judge(said)
    assert verdict.state == INVALID
    assert SOON in broken(verdict)


@pytest.mark.parametrize(("samples", "text"), [([[0, 0], [1000, 2]], "at the end 2"), ([], "was never looked at")])
def test_a_group_that_is_behind_at_the_end_or_unknown_did_not_keep_up(
    judge: Judge, samples: list[list[int]], text: str
) -> None:
    said = made.stage()
    said["group_lag"]["b"] = samples
    verdict = judge(said)
    assert broken(verdict) == [KEPT_UP]
    assert text in evidence(verdict, KEPT_UP)


def delayed(said: dict[str, Any], group: str, ms: float) -> None:
    """Let all messages come to a group so long after they were sent."""
    for device in said["devices"].values():
        device["groups"][group] = [[number, device["sent"][number] + ms] for number in range(10)]


def test_latency_fails_from_a_second_on(judge: Judge) -> None:
    said = made.stage()
    delayed(said, "b", 1000)
    verdict = judge(said)
    assert broken(verdict) == [SOON]
    assert "b 1,000.0 ms (limit: 1,000 ms)" in evidence(verdict, SOON)
    delayed(said, "b", 999.9)
    assert judge(said).state == PASSED


@pytest.mark.parametrize("group", made.GROUPS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_and_a_storm_excuse_latency_and_a_pause_that_of_its_own_group(
    judge: Judge, kind: str, group: str
) -> None:
    said = made.stage(events=((3000.0, "something was done", kind),))
    delayed(said, group, 8000)
    verdict = judge(said)
    excused = kind in ("fault", "storm") or (kind, group) == ("pause", "b")
    told = f"{group} 8,000.0 ms, told only: a {kind} was planted" in evidence(verdict, SOON)
    assert (broken(verdict), told) == ([] if excused else [SOON], excused)


def test_a_group_that_got_nothing_is_not_excused_by_a_fault(judge: Judge) -> None:
    said = made.stage(events=((3000.0, "consumer b stopped", "fault"),))
    for device in said["devices"].values():
        device["groups"]["b"] = []
    assert broken(judge(said)) == [EACH_GROUP, SOON]


def test_with_qos_0_a_message_that_is_not_stored_is_named_as_sent(judge: Judge) -> None:
    said = made.stage(qos=0)
    assert judge(said).state == PASSED
    for pairs in (said["devices"]["sim-00001"]["stored"], *said["devices"]["sim-00001"]["groups"].values()):
        pairs.pop(2)
    verdict = judge(said)
    assert broken(verdict) == [SENT_STORED]
    assert evidence(verdict, SENT_STORED).startswith("1 of 50 sent, not stored (sim-00001 seq 2)")
    assert evidence(verdict, PRODUCERS) == "0 disconnects, 0 refused; 0 of 50 messages never sent"


def test_a_late_generator_makes_a_stage_invalid_whatever_else_it_shows(judge: Judge) -> None:
    said = made.stage()
    said["lag_ms"]["p99"] = 100.0
    assert judge(said).state == PASSED
    said["lag_ms"]["p99"] = 100.1
    verdict = judge(said)
    assert (verdict.state, broken(verdict)) == (INVALID, ["the generator kept its schedule"])
    assert verdict.generator.evidence.startswith("late by p99 100.1 ms")
    said["devices"]["sim-00001"]["stored"].pop()
    assert judge(said).state == INVALID


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ([PASSED, PASSED], 0),
        ([PASSED, FAILED], 1),
        ([INVALID, FAILED], 1),
        ([INVALID, PASSED], 3),
    ],
)
def test_the_exit_code_tells_the_worst_stage(judge: Judge, states: list[str], code: int) -> None:
    row = judge(made.stage()).generator
    assert exit_code(Verdict(state, row, []) for state in states) == code
