"""Commands to the agent: what it does, and what comes again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from raspi_kafka.commands.topics import to_device

from tests.bridge.process import until

from .agent import DEVICE
from .gate import Gate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.bridge.mosquitto import Mosquitto

    from .agent import Agent
    from .owner import Owner
    from .reader import Reader


@pytest.fixture
def gate(mosquitto: Mosquitto) -> Iterator[Gate]:
    gate = Gate(mosquitto.port)
    yield gate
    gate.close()


@pytest.fixture
def listening(owner: Owner) -> Owner:
    """Who gives commands, and takes answers."""
    owner.listen()
    return owner


def measured_anew(agent: Agent) -> int:
    """Return how often a command has set the interval of an agent."""
    return agent.log.read_text().count("as a command says")


def test_ping_is_answered(agent: Agent, listening: Owner) -> None:
    agent.start()
    answer = listening.ask("a", "ping")
    assert abs(answer.pop("ts_ns") / 1e9 - time.time()) < 60
    assert answer == {"id": "a", "device": DEVICE, "command": "ping", "status": "done"}


def test_what_it_does_not_know_is_refused(agent: Agent, listening: Owner) -> None:
    agent.start()
    answer = listening.ask("a", "open")
    assert (answer["status"], answer["reason"]) == ("refused", "this device knows no command 'open'")
    assert listening.ask("b", "interval", seconds=0.01)["status"] == "refused"
    assert measured_anew(agent) == 0


def test_interval_changes_the_rate_at_once_and_back(agent: Agent, reader: Reader, listening: Owner) -> None:
    agent.start()
    reader.until_more(5)
    answer = listening.ask("a", "interval", seconds=3600)
    assert (answer["status"], answer["seconds"]) == ("done", 3600)
    before = len(reader.numbers())
    time.sleep(3)
    assert len(reader.numbers()) <= before + 1
    listening.ask("b", "interval", seconds=0.1)
    reader.until_more(10)
    numbers = reader.numbers()
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_an_interval_holds_until_it_is_restarted(agent: Agent, reader: Reader, listening: Owner) -> None:
    agent.start()
    listening.ask("a", "interval", seconds=3600)
    agent.stop()
    agent.start()
    reader.until_more(10)


def test_a_command_that_was_sent_while_it_was_away_comes_when_it_is_back(agent: Agent, listening: Owner) -> None:
    agent.start()
    listening.ask("a", "ping")
    agent.stop()
    listening.give("b", "ping")
    listening.give("c", "ping")
    agent.start()
    until("both are answered", lambda: listening.of("c"))
    assert [each["id"] for each in listening.answers] == ["a", "b", "c"]


def test_one_that_is_killed_between_answer_and_acknowledgement_gets_the_command_again(
    make: Callable[..., Agent], gate: Gate, listening: Owner
) -> None:
    """The server has the answer, and the agent does not learn that."""
    agent = make(gate.port)
    agent.start()
    listening.ask("a", "ping")
    gate.hold_after(to_device(DEVICE).encode())
    listening.ask("b", "ping")
    agent.kill()
    gate.release()
    agent.start()
    until("it is answered again", lambda: len(listening.of("b")) == 2)
    assert {each["status"] for each in listening.of("b")} == {"done"}


def test_one_that_is_killed_while_nobody_takes_answers_gets_the_command_again(agent: Agent, owner: Owner) -> None:
    agent.start()
    owner.give("a", "interval", seconds=0.2)
    until("it has done it", lambda: measured_anew(agent) == 1)
    time.sleep(1)  # an acknowledgement that is not to be would be there by then
    agent.kill()
    agent.start()
    until("it does it again", lambda: measured_anew(agent) == 2)
    owner.listen()
    until("it is answered", lambda: owner.of("a"))
    assert owner.of("a")[0]["status"] == "done"


def test_the_same_command_twice_is_done_once_and_answered_twice(agent: Agent, listening: Owner) -> None:
    agent.start()
    first = listening.ask("a", "interval", seconds=0.2)
    assert listening.ask("a", "interval", seconds=0.2) == first
    assert len(listening.of("a")) == 2
    assert measured_anew(agent) == 1


def test_the_watchdog_is_told_however_seldom_it_measures(
    make: Callable[..., Agent], mosquitto: Mosquitto, reader: Reader, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the first message comes at once."""
    monkeypatch.setenv("WATCHDOG_USEC", "600000")
    agent = make(mosquitto.port, interval="60s")
    agent.start()
    until("a first message has come", reader.numbers, timeout=30)
    until("the watchdog is told", lambda: agent.notes().count("WATCHDOG=1") >= 5, timeout=30)
    owner.give("a", "interval", seconds=3600)
    until("it has done it", lambda: measured_anew(agent) == 1)
    told = agent.notes().count("WATCHDOG=1")
    until("the watchdog is told", lambda: agent.notes().count("WATCHDOG=1") >= told + 5, timeout=30)
    assert len(reader.numbers()) == 1
