"""Two gateways: a device is at one of them, and both know all commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raspi_kafka.commands.service import GRACE_S, SPREAD_S

from tests.bridge.process import until

from .conftest import CELLAR, HALL, KITCHEN

if TYPE_CHECKING:
    from .conftest import Line


def test_each_device_gets_its_commands_once_wherever_it_is(line: Line) -> None:
    other = line.gateway("there")
    one, two = line.service("one"), line.service("two", other)
    one.start()
    two.start()
    kitchen, hall = line.device(KITCHEN).come(), line.device(HALL, other).come()
    for each in ("1", "2", "3"):
        line.give(KITCHEN, each, life_s=10)
        line.give(HALL, each, life_s=10)
    for device in (KITCHEN, HALL):
        line.told(device, **dict.fromkeys(("1", "2", "3"), "done"))
    assert kitchen.ids == hall.ids == ["1", "2", "3"]
    # An answer at one gateway ends the waiting at the other, which tells nothing when they expire.
    for service in (one, two):
        until("nothing waits", lambda service=service: service.metrics()["waiting"] == 0)
    line.give(CELLAR, "nobody", life_s=3)
    until("it is told", lambda: line.answers(CELLAR))
    line.give(CELLAR, "nobody either", life_s=3)
    until("it is told", lambda: line.answers(CELLAR)[-1][0] == "nobody either", timeout=2 * (GRACE_S + SPREAD_S) + 30)
    for service in (one, two):
        until("nothing waits", lambda service=service: service.metrics()["waiting"] == 0)
    told = line.answers(CELLAR)
    assert {each for each, _status in told} == {"nobody", "nobody either"}
    assert {status for _id, status in told} == {"expired"}
    assert len(told) == one.metrics()["expired_total"] + two.metrics()["expired_total"]
    assert line.answers(KITCHEN) == line.answers(HALL) == [(each, "done") for each in ("1", "2", "3")]


def test_a_device_that_moves_gets_what_waits_at_its_new_gateway(line: Line) -> None:
    """Its session at the old one has the commands as well; there they expire with nobody."""
    other = line.gateway("there")
    one, two = line.service("one"), line.service("two", other)
    one.start()
    two.start()
    before = line.device(KITCHEN).come()
    before.go()
    line.give(KITCHEN, "1", "2")
    until("the old gateway has them", lambda: one.metrics()["handed_over_total"] == 2)
    after = line.device(KITCHEN, other).come()
    line.told(KITCHEN, **{"1": "done", "2": "done"})
    assert after.ids == ["1", "2"]
    until("nothing waits at the old one", lambda: one.metrics()["waiting"] == 0)
