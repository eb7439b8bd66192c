"""Each episode has exactly one FIRING and one RESOLVED, whatever ends the process."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.bridge.process import until

from .planted import RULES, Planted
from .told import Told

if TYPE_CHECKING:
    from .conftest import Line

DEVICES, RATE = 50, 350.0


def caught_up(line: Line, planted: Planted) -> Told:
    """Return what was told once all is there that has to be."""
    expected = planted.expected()
    until("all alerts are there", lambda: expected <= Told(line.kafka).counts.keys(), timeout=120, pause=1)
    return Told(line.kafka)


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_any_time(line: Line, seed: int) -> None:
    chance = random.Random(seed)
    alerting = line.alerting(RULES)
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
    assert told.counts == dict.fromkeys(planted.expected(), 1)
    print(f"seed {seed}: {len(told.alerts)} alerts, {told.raw} records; {alerting.tail()}")
