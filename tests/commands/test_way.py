"""A command and its answer, while nothing goes wrong but that devices come and go."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from raspi_kafka.commands.queues import PAUSE_S

from tests.bridge.process import until

from .conftest import CELLAR, HALL, KITCHEN

if TYPE_CHECKING:
    from .conftest import Line


def test_a_device_that_is_there_gets_it_and_its_answer_is_in_kafka(line: Line) -> None:
    service = line.service()
    service.start()
    kitchen = line.device(KITCHEN).come()
    line.give(KITCHEN, "1")
    line.give(KITCHEN, "2", command="interval", args={"seconds": 2.5})
    line.give(KITCHEN, "3", command="dance")
    line.told(KITCHEN, **{"1": "done", "2": "done", "3": "refused"})
    assert [each.id for each in kitchen.got] == ["1", "2", "3"]
    assert kitchen.intervals == [2.5]
    until("nothing waits", lambda: service.metrics()["waiting"] == 0)
    assert service.metrics()["answered_total"] == 3


def test_a_device_that_is_away_gets_it_when_it_is_back(line: Line) -> None:
    service = line.service()
    service.start()
    kitchen = line.device(KITCHEN).come()
    kitchen.go()
    line.give(KITCHEN, "1", "2")
    until("the MQTT server has them", lambda: service.metrics()["handed_over_total"] == 2)
    assert kitchen.got == []
    kitchen.come()
    line.told(KITCHEN, **{"1": "done", "2": "done"})
    assert kitchen.ids == ["1", "2"]


def test_a_device_that_was_never_there_gets_it_when_it_comes_and_others_do_not_wait(line: Line) -> None:
    service = line.service()
    service.start()
    hall = line.device(HALL).come()
    line.give(KITCHEN, "1", "2")
    until("it was tried", lambda: service.metrics()["no_session_total"] >= 2, timeout=4 * PAUSE_S)
    line.give(HALL, "1")
    line.told(HALL, **{"1": "done"})
    assert [each.id for each in hall.got] == ["1"]
    kitchen = line.device(KITCHEN).come()
    line.told(KITCHEN, **{"1": "done", "2": "done"})
    assert kitchen.ids == ["1", "2"]


def test_what_has_expired_is_told_and_never_delivered(line: Line) -> None:
    service = line.service()
    service.start()
    kitchen = line.device(KITCHEN).come()
    kitchen.go()
    line.give(KITCHEN, "old", life_s=4)
    line.give(CELLAR, "old", life_s=4)
    line.give(KITCHEN, "new", life_s=120)
    line.give(KITCHEN, "past", life_s=-1)
    for device in (KITCHEN, CELLAR):
        until("it is told", lambda device=device: ("old", "expired") in line.answers(device))
    kitchen.come()
    line.told(KITCHEN, old="expired", new="done", past="expired")
    assert kitchen.ids == ["new"]
    assert line.answers(CELLAR) == [("old", "expired")]
    assert service.metrics()["expired_total"] == 3


def test_a_command_from_before_the_first_start_counts(line: Line) -> None:
    kitchen = line.device(KITCHEN).come()
    line.give(KITCHEN, "past", life_s=-1)
    line.give(KITCHEN, "1")
    service = line.service()
    service.start()
    line.told(KITCHEN, **{"1": "done", "past": "expired"})
    assert kitchen.ids == ["1"]


def test_a_group_that_begins_anew_repeats_nothing(line: Line) -> None:
    """As after its offsets were lost: all is read again."""
    service = line.service()
    service.start()
    kitchen = line.device(KITCHEN).come()
    line.give(KITCHEN, "1")
    line.give(KITCHEN, "past", life_s=-1)
    line.told(KITCHEN, **{"1": "done", "past": "expired"})
    assert service.stop() == 0
    other = line.service("anew")
    other.start()
    line.give(KITCHEN, "2")
    line.told(KITCHEN, **{"1": "done", "past": "expired", "2": "done"})
    time.sleep(PAUSE_S)
    assert [each.id for each in kitchen.got] == ["1", "2"]
    assert len(line.answers()) == 3
    assert (other.metrics()["taken_total"], other.metrics()["waiting"]) == (3, 0)
