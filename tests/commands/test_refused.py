"""What is no command becomes a dead letter, with its reason; and nothing waits for it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from raspi_kafka.commands.queues import MOST_OF_A_DEVICE
from raspi_kafka.commands.topics import ANSWERS

from tests.bridge.process import until

from .conftest import HALL, KITCHEN

if TYPE_CHECKING:
    from .conftest import Line

MISFITS = {
    "no key": (None, b'{"id": "1", "command": "ping"}'),
    "a wildcard": (b"+", b'{"id": "1", "command": "ping"}'),
    "no JSON": (KITCHEN.encode(), b"ping"),
    "nothing": (KITCHEN.encode(), None),
    "another device": (KITCHEN.encode(), b'{"id": "1", "command": "ping", "device": "hall"}'),
    "a misspelt key": (KITCHEN.encode(), b'{"id": "1", "command": "ping", "expire_ms": 1}'),
    "half a character": (KITCHEN.encode(), b'{"\\ud800": 1}'),
    "a number of Python's": (KITCHEN.encode(), b'{"id": "1", "command": "ping", "args": 1e999}'),
}


def test_what_is_no_command_is_a_dead_letter_and_those_behind_it_go_on(line: Line) -> None:
    service = line.service()
    service.start()
    kitchen = line.device(KITCHEN).come()
    for key, value in MISFITS.values():
        line.put(key, value)
    line.give(KITCHEN, "good", device=KITCHEN)
    line.told(KITCHEN, good="done")
    until("all are told", lambda: len(line.dead_letters()) == len(MISFITS))
    assert kitchen.ids == ["good"]
    for letter, (key, value) in zip(line.dead_letters(), MISFITS.values(), strict=True):
        told = {name: text.decode() for name, text in letter.headers}
        assert (letter.key, letter.value) == (key, value)
        assert (told["error"], told["kafka.topic"], told["mqtt.gateway"]) == ("COMMAND", "commands", "one")
        assert told["reason"]
    assert service.metrics()['dead_lettered_total{error="COMMAND"}'] == len(MISFITS)
    assert service.metrics()["waiting"] == 0


def test_a_dead_letter_that_kafka_refuses_is_written_once_it_takes_it(line: Line) -> None:
    """The offset stays behind it: a kill meanwhile loses nothing."""
    service = line.service()
    service.start()
    line.kafka.forbid("dead-letters")
    try:
        line.put(KITCHEN.encode(), b"no command")
        until("it is refused", lambda: any("errors" in name for name in service.metrics()))
        service.kill()
        service.start()
    finally:
        line.kafka.allow("dead-letters")
    until("it is there", lambda: len(line.dead_letters()) == 1)
    assert line.dead_letters()[0].value == b"no command"


def test_a_device_that_is_away_keeps_no_other_out(line: Line) -> None:
    """Each command that is too many is told to be refused, and the service forgets none of the others."""
    service = line.service()
    service.start()
    line.device(HALL).come()
    ids = [str(number) for number in range(MOST_OF_A_DEVICE + 10)]
    line.give(KITCHEN, *ids, life_s=600)
    line.give(HALL, "1")
    line.told(HALL, **{"1": "done"})
    line.told(KITCHEN, **dict.fromkeys(ids[MOST_OF_A_DEVICE:], "refused"))
    reasons = [json.loads(each.value).get("reason") for each in line.kafka.records("answers") if each.key == b"kitchen"]
    assert set(reasons) == {"too many commands wait for this device, says gateway one"}
    assert (service.metrics()["refused_total"], service.metrics()["waiting"]) == (10, MOST_OF_A_DEVICE)
    kitchen = line.device(KITCHEN).come()
    until("all others are done", lambda: len(line.answers(KITCHEN)) == len(ids), timeout=120)
    assert kitchen.ids == ids[:MOST_OF_A_DEVICE]


def test_what_a_device_makes_up_is_counted_and_told_once(line: Line) -> None:
    """Not again by the next process, which reads it again; and no device chooses what Prometheus has to store."""
    service = line.service()
    service.start()
    values = [b"no answer", b'{"id": "%b", "status": "done"}' % (b"x" * 65), b'{"id": "1", "status": "\\ud800"}']
    for value in (*values, b"none either"):
        line.put(KITCHEN.encode(), value, ANSWERS)
    until("all are counted", lambda: service.metrics().get('answers_total{status="other"}') == 1)
    until("all are counted", lambda: service.metrics()["unreadable_total"] == 3)
    assert service.tail().count("is passed over") == 1
    assert service.stop() == 0
    service.start()
    line.device(HALL).come()
    line.give(HALL, "1")
    line.told(HALL, **{"1": "done"})
    assert service.metrics()["unreadable_total"] == 0
    assert service.tail().count("is passed over") == 1


def test_an_id_that_is_used_again_is_a_command_of_its_own(line: Line) -> None:
    """The device answers it as before, so that whoever gave it hears of it."""
    line.service().start()
    kitchen = line.device(KITCHEN).come()
    line.give(KITCHEN, "1")
    line.told(KITCHEN, **{"1": "done"})
    first = line.kafka.records("answers")[0]
    until("some time has gone by", lambda: line.now_ms() > first.timestamp + 6000)
    line.give(KITCHEN, "1")
    until("it is answered again", lambda: len(line.answers()) == 2)
    assert [each.id for each in kitchen.got] == ["1", "1"]
    values = [json.loads(each.value) for each in line.kafka.records("answers")]
    assert values[0] == values[1]
