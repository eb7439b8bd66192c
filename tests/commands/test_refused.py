"""What is no command becomes a dead letter, with its reason; and nothing waits for it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.bridge.process import until

from .conftest import KITCHEN

if TYPE_CHECKING:
    from .conftest import Line

MISFITS = {
    "no key": (None, b'{"id": "1", "command": "ping"}'),
    "a wildcard": (b"+", b'{"id": "1", "command": "ping"}'),
    "no JSON": (KITCHEN.encode(), b"ping"),
    "nothing": (KITCHEN.encode(), None),
    "another device": (KITCHEN.encode(), b'{"id": "1", "command": "ping", "device": "hall"}'),
    "a misspelt key": (KITCHEN.encode(), b'{"id": "1", "command": "ping", "expire_ms": 1}'),
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
