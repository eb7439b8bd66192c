"""Each episode has exactly one FIRING and one RESOLVED, whatever ends the process."""

from __future__ import annotations

import random
import signal
from typing import TYPE_CHECKING, Any

import pytest
from kafka.errors import NoError
from kafka.structs import OffsetAndMetadata
from raspi_kafka.alert.lease import GROUP
from raspi_kafka.alert.topics import STATE

from tests.bridge.process import until

from .planted import RULES, Planted
from .told import Told

if TYPE_CHECKING:
    from tests.bridge.kafka import Kafka

    from .conftest import Line

DEVICES, RATE = 50, 350.0


def caught_up(line: Line, planted: Planted) -> Told:
    """Return what was told once all is there that has to be."""
    expected = planted.expected()
    until("all alerts are there", lambda: expected <= Told(line.kafka).counts.keys(), timeout=120, pause=1)
    return Told(line.kafka)


def killed(line: Line, seed: int, **more: Any) -> tuple[Planted, Told]:
    """Kill it six times while devices get hot; return what has to be found, and what was told."""
    chance = random.Random(seed)
    alerting = line.alerting(RULES, **more)
    alerting.start()
    planted = Planted(line.kafka.server, DEVICES, RATE)
    planted.start()
    for _kill in range(6):
        told = len(Told(line.kafka).alerts)
        until("it tells", lambda least=told: len(Told(line.kafka).alerts) > least + chance.randrange(40))
        alerting.kill()
        alerting.start()
    planted.stop()
    told = caught_up(line, planted)
    print(f"seed {seed}: {len(planted.expected())} expected, {len(told.alerts)} told, {told.raw} records in the log")
    return planted, told


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_any_time(line: Line, seed: int) -> None:
    planted, told = killed(line, seed)
    assert told.counts == dict.fromkeys(planted.expected(), 1)


def test_the_control_that_commits_alerts_on_their_own_tells_some_twice(line: Line) -> None:
    planted, told = killed(line, 1, module="tests.alerting.controls.two_transactions")
    assert told.counts.keys() == planted.expected()
    assert max(told.counts.values()) > 1


@pytest.mark.parametrize("after", range(3))
def test_killed_at_each_step_of_a_transaction(line: Line, after: int) -> None:
    doomed = line.alerting(RULES, "doomed", module="tests.alerting.controls.killed_at_step", env={"AFTER": str(after)})
    doomed.start()
    planted = Planted(line.kafka.server, DEVICES, RATE)
    planted.start()
    assert doomed.ended() == -signal.SIGKILL
    line.alerting(RULES).start()
    until("it tells", lambda: len(Told(line.kafka).alerts) > DEVICES)
    planted.stop()
    told = caught_up(line, planted)
    assert told.counts == dict.fromkeys(planted.expected(), 1)
    # Step 1 leaves records that nobody may see: an alert at least.
    print(f"after step {after}: {len(told.alerts)} told, {told.raw} records in the log")
    assert (told.raw > len(told.alerts)) is (after == 1)


def test_nothing_is_told_again(line: Line) -> None:
    """Whether the offsets of the group or the state is gone."""
    alerting = line.alerting(RULES)
    alerting.start()
    planted = Planted(line.kafka.server, DEVICES, RATE)
    planted.start()
    until("some are told", lambda: len(Told(line.kafka).alerts) > DEVICES)
    for forgets in (forget_offsets, forget_state):
        alerting.kill()
        forgets(line.kafka)
        told = len(Told(line.kafka).alerts)
        alerting.start()
        until("it goes on", lambda least=told: len(Told(line.kafka).alerts) > least + 10)
    planted.stop()
    assert caught_up(line, planted).counts == dict.fromkeys(planted.expected(), 1)


def forget_offsets(kafka: Kafka) -> None:
    """Take the group back to the first record of everything."""
    with kafka.admin() as admin:
        before = admin.list_group_offsets({GROUP: None})[GROUP]
        assert any(each.offset for each in before.values())
    until("the group is empty", lambda: reset(kafka, {each: OffsetAndMetadata(0, "", -1) for each in before}))


def reset(kafka: Kafka, offsets: dict[Any, OffsetAndMetadata]) -> bool:
    with kafka.admin() as admin:
        answers = admin.alter_group_offsets(GROUP, offsets)
    return all(error is None or error is NoError for error in answers.values())


def forget_state(kafka: Kafka) -> None:
    """Lose the topic of the state."""
    kafka.delete(STATE)
    kafka.create(STATE)
