"""Which command is handed over next, and up to where all are finished."""

from __future__ import annotations

import pytest
from raspi_kafka.commands.answer import Answer
from raspi_kafka.commands.answered import CLOCKS_DIFFER_MS, Answered
from raspi_kafka.commands.counters import Counters
from raspi_kafka.commands.once import Once
from raspi_kafka.commands.progress import Progress
from raspi_kafka.commands.queues import (
    LEAST_LIFE_MS,
    MOST_BYTES_OF_A_DEVICE,
    MOST_OF_A_DEVICE,
    PAUSE_S,
    UNANSWERED,
    Queues,
)
from raspi_kafka.commands.record import Command, Place

NOW_MS = 1_700_000_000_000
LIFE_MS = 60_000


class Told:
    """Queues, and what they told."""

    def __init__(self) -> None:
        self.finished: list[Place] = []
        self.answered = Answered()
        self.counters = Counters()
        self.queues = Queues(self.answered, self.counters, self.finished.append)
        self.offset = 0

    def give(self, device: str, *ids: str, life_ms: int = LIFE_MS, payload: bytes = b"{}") -> None:
        for each in ids:
            command = Command(device, each, NOW_MS, NOW_MS + life_ms, payload)
            self.queues.add(Place(0, self.offset), command)
            self.offset += 1

    def hand(self, now_s: float = 0.0, *, session: bool = True, now_ms: int = NOW_MS) -> list[str]:
        """Hand over what is due; return the ids."""
        found = []
        for entry in self.queues.due(now_s, now_ms):
            found.append(entry.command.id)
            entry.handed = session
            if not session:
                self.queues.no_session(entry.command.device, now_s)
        return found

    def answer(self, device: str, *ids: str) -> None:
        for each in ids:
            self.answered.add(Answer(device, each, "done"), NOW_MS)
            self.queues.answer(device)


@pytest.fixture
def told() -> Told:
    return Told()


def test_commands_are_handed_over_once_in_their_order(told: Told) -> None:
    told.give("a", "1", "2")
    told.give("b", "3")
    assert told.hand() == ["1", "2", "3"]
    assert told.hand() == []


def test_a_device_without_a_session_waits_and_no_other(told: Told) -> None:
    told.give("a", "1", "2")
    assert told.hand(session=False) == ["1"]
    told.give("b", "3")
    assert told.hand() == ["3"]
    assert told.hand(PAUSE_S - 0.1) == []
    assert told.hand(PAUSE_S) == ["1", "2"]


def test_with_its_session_a_device_has_lost_what_was_handed_over(told: Told) -> None:
    told.give("a", "1", "2")
    assert told.hand() == ["1", "2"]
    told.give("a", "3")
    assert told.hand(session=False) == ["3"]
    assert told.hand(PAUSE_S) == ["1", "2", "3"]


def test_another_connection_begins_with_the_first_that_is_not_answered(told: Told) -> None:
    told.give("a", "1", "2", "3")
    told.hand()
    told.answer("a", "1")
    told.queues.nothing_handed()
    assert told.hand() == ["2", "3"]


def test_few_are_handed_over_before_the_first_is_answered(told: Told) -> None:
    ids = [str(number) for number in range(UNANSWERED + 2)]
    told.give("a", *ids)
    assert told.hand() == ids[:UNANSWERED]
    told.answer("a", "0")
    assert told.hand() == [ids[UNANSWERED]]


def test_one_that_is_about_to_expire_is_not_handed_over_and_keeps_no_other_back(told: Told) -> None:
    told.give("a", "1", life_ms=LEAST_LIFE_MS - 1)
    told.give("a", "2", life_ms=LEAST_LIFE_MS)
    assert told.hand() == ["2"]


def test_so_many_may_wait_for_a_device_and_no_fewer_for_another(told: Told) -> None:
    ids = [str(number) for number in range(MOST_OF_A_DEVICE)]
    told.give("a", *ids[1:])
    assert not told.queues.full("a", NOW_MS)
    told.give("a", ids[0])
    assert told.queues.full("a", NOW_MS)
    assert not told.queues.full("b", NOW_MS)
    told.answer("a", ids[1])
    assert not told.queues.full("a", NOW_MS)


def test_so_many_bytes_may_wait_for_a_device(told: Told) -> None:
    told.give("a", "1", "2", payload=b"x" * (MOST_BYTES_OF_A_DEVICE // 2))
    assert told.queues.full("a", NOW_MS)
    told.answer("a", "1")
    assert not told.queues.full("a", NOW_MS)


def test_what_has_expired_keeps_out_nothing_new(told: Told) -> None:
    told.give("a", *map(str, range(MOST_OF_A_DEVICE)), life_ms=5)
    assert told.queues.full("a", NOW_MS + 4)
    assert not told.queues.full("a", NOW_MS + 5)


def test_a_device_is_told_of_once() -> None:
    once = Once(most=2)
    assert [once.first(key) for key in (b"a", b"a", None, b"a", b"c", None)] == [True, False, True, False, False, False]


def test_what_has_expired_is_told_once_and_holds_its_place_until_then(told: Told) -> None:
    told.give("a", "1", life_ms=5)
    told.give("a", "2", life_ms=6)
    (entry,) = told.queues.expired(NOW_MS + 5)
    assert (entry.command.id, told.finished) == ("1", [])
    entry.told = True
    assert [each.command.id for each in told.queues.expired(NOW_MS + 6)] == ["2"]
    told.queues.remove(entry)
    assert (told.finished, told.queues.size) == ([Place(0, 0)], 1)


def test_what_is_answered_has_not_expired(told: Told) -> None:
    told.give("a", "1", life_ms=5)
    told.answered.add(Answer("a", "1", "done"), NOW_MS)
    assert told.queues.expired(NOW_MS + 5) == []
    assert (told.finished, told.counters.answered, len(told.queues)) == ([Place(0, 0)], 1, 0)


def test_an_answer_far_back_is_seen_when_its_command_comes_up(told: Told) -> None:
    ids = [str(number) for number in range(2 * UNANSWERED)]
    told.give("a", *ids)
    told.answer("a", *ids[1:])
    told.answer("a", "0")
    assert told.hand() == []
    assert told.queues.size == 0


def test_an_answer_is_for_its_own_device_alone(told: Told) -> None:
    told.give("a", "1")
    told.give("b", "1")
    told.answer("a", "1")
    assert told.hand() == ["1"]
    assert told.finished == [Place(0, 0)]


def test_a_command_that_was_given_after_the_answer_to_its_id_is_not_answered() -> None:
    answered = Answered()
    answered.add(Answer("a", "1", "done"), NOW_MS)
    for later_ms, known in ((-1, True), (CLOCKS_DIFFER_MS, True), (CLOCKS_DIFFER_MS + 1, False)):
        command = Command("a", "1", NOW_MS + later_ms, NOW_MS + LIFE_MS, b"{}")
        assert (command in answered) is known


def test_the_answers_that_are_known_are_the_last_ones() -> None:
    answered = Answered(most=2)
    for number in ("1", "2", "1", "3"):
        answered.add(Answer("a", number, "done"), NOW_MS)
    known = [each for each in "123" if Command("a", each, NOW_MS, NOW_MS, b"") in answered]
    assert known == ["1", "3"]


def test_the_next_process_begins_with_the_oldest_that_is_not_finished() -> None:
    progress = Progress()
    for offset in (5, 6, 9):  # records may be missing between them
        progress.begin(Place(0, offset))
    progress.begin(Place(1, 0))
    assert progress.take_changed() == []
    progress.finish(Place(0, 6))
    assert progress.take_changed() == [(0, 5)]
    progress.finish(Place(0, 5))
    progress.finish(Place(1, 0))
    assert progress.take_changed() == [(0, 9), (1, 1)]
    progress.finish(Place(0, 9))
    assert progress.take_changed() == [(0, 10)]
    assert progress.take_changed() == []
