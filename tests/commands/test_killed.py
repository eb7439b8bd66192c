"""Processes end without a word, again and again: each command comes to its device, in its order, and is answered.

The same with a service that does not wait for the answer shows that the tests would see a loss.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import pytest

from tests.bridge.mosquitto import AUTOSAVE_S
from tests.bridge.process import until

from .conftest import HALL, KITCHEN

if TYPE_CHECKING:
    from .conftest import Line

COMMANDS = 100
KILLS = 6
CONTROL = "tests.commands.controls.finished_at_hand_over"


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_lost_and_order_is_kept_while_all_of_them_end(line: Line, seed: int) -> None:
    """The hall's device answers nothing until the end: what waits for it must survive too."""
    chance = random.Random(seed)
    service = line.service()
    service.start()
    kitchen, hall = line.device(KITCHEN).come(), line.device(HALL).come()
    hall.go()
    ids = [f"{number:03}" for number in range(COMMANDS)]
    parts = [ids[at : at + COMMANDS // KILLS + 1] for at in range(0, COMMANDS, COMMANDS // KILLS + 1)]
    for number, part in enumerate(parts):
        for each in part:
            line.give(KITCHEN, each, life_s=600)
        line.give(HALL, f"hall-{number}", life_s=600)
        until("some have come", lambda least=part[0]: least in kitchen.ids or chance.random() < 0.01, timeout=120)
        service.kill()
        if number % 3 == 1:
            line.mosquitto.kill()
            line.mosquitto.start()
        if number % 3 == 2:
            line.kafka.kill()
            line.kafka.start()
        service.start(ready=False)
    until("all are answered", lambda: len({each for each, _status in line.answers(KITCHEN)}) == COMMANDS, timeout=180)
    assert kitchen.ids == ids
    assert {status for _id, status in line.answers(KITCHEN)} == {"done"}
    hall.come()
    until("the hall's too", lambda: len(line.answers(HALL)) >= len(parts), timeout=120)
    assert hall.ids == [f"hall-{number}" for number in range(len(parts))]
    until("nothing waits", lambda: service.metrics().get("waiting") == 0)


def handed_over_to_a_mosquitto_that_is_killed(line: Line, module: str) -> list[str]:
    """Return what the device gets that was away meanwhile."""
    service = line.service(module=module)
    service.start()
    kitchen = line.device(KITCHEN).come()
    kitchen.go()
    line.give(KITCHEN, "before")
    # The session has to be on the disk, or it is lost as a whole.
    until("it is handed over", lambda: service.metrics()["handed_over_total"] == 1)
    saved = line.root / "mosquitto" / "mosquitto.db"
    before = time.time()
    until("it is saved", lambda: saved.exists() and saved.stat().st_mtime > before, timeout=10 * AUTOSAVE_S)
    line.give(KITCHEN, "1", "2")
    until("they are handed over", lambda: service.metrics()["handed_over_total"] == 3, pause=0.01)
    line.mosquitto.kill()
    line.mosquitto.start()
    kitchen.come()
    until("the first has come", lambda: "before" in kitchen.ids)
    line.give(KITCHEN, "last")
    until("the last has come", lambda: "last" in kitchen.ids)
    return kitchen.ids


def test_what_a_killed_mosquitto_had_is_handed_over_again(line: Line) -> None:
    assert handed_over_to_a_mosquitto_that_is_killed(line, "raspi_kafka") == ["before", "1", "2", "last"]


def test_a_service_that_waits_for_no_answer_loses_it(line: Line) -> None:
    assert handed_over_to_a_mosquitto_that_is_killed(line, CONTROL) == ["before", "last"]


def test_a_service_that_stops_begins_where_it_was(line: Line) -> None:
    service = line.service()
    service.start()
    kitchen = line.device(KITCHEN).come()
    line.give(KITCHEN, "1", "2")
    line.told(KITCHEN, **{"1": "done", "2": "done"})
    until("nothing waits", lambda: service.metrics()["waiting"] == 0)
    assert service.stop() == 0
    line.give(KITCHEN, "3")
    service.start()
    line.told(KITCHEN, **{"1": "done", "2": "done", "3": "done"})
    assert service.metrics()["taken_total"] == 1
    assert [each.id for each in kitchen.got] == ["1", "2", "3"]


def test_while_kafka_is_away_nothing_is_told_to_have_expired_that_was_answered(line: Line) -> None:
    service = line.service()
    service.start()
    kitchen = line.device(KITCHEN).come()
    kitchen.go()
    line.give(KITCHEN, "1", life_s=20)
    until("it is handed over", lambda: service.metrics()["handed_over_total"] == 1)
    line.kafka.kill()
    kitchen.come()
    until("it has come", lambda: kitchen.ids == ["1"])
    until("it has expired meanwhile", lambda: service.metrics()["oldest_waiting_seconds"] > 35)
    line.kafka.start()
    line.told(KITCHEN, **{"1": "done"})
    until("nothing waits", lambda: service.metrics()["waiting"] == 0)
    assert line.answers() == [("1", "done")]
