"""Alerting, bridge and broker are each killed, while devices go on to say what rules are to find."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from raspi_kafka.alert.pipeline import RULE as PIPELINE

from tests.bridge.process import until

from .house import House, expected
from .planted import RULES
from .told import Told

if TYPE_CHECKING:
    from raspi_kafka.alert.alert import State

    from .alerting import Alerting
    from .conftest import Line

DEVICES = 350


class Outcome(NamedTuple):
    """What was found of it.

    :ivar sent: messages of devices.
    :ivar wanted: what was to be told, once each.
    :ivar disturbed: from each kill until alerts came again, seconds since 1970.
    """

    sent: int
    wanted: set[tuple[str, State]]
    told: Told
    disturbed: list[tuple[float, float]]

    @property
    def of_devices(self) -> dict[tuple[str, State], int]:
        """How often each was told; a restart of Kafka may last longer than the pipeline may stall, which is another."""
        return {each: count for each, count in self.told.counts.items() if not each[0].startswith(PIPELINE)}


def each_part_killed(line: Line, quiet_s: float) -> Outcome:
    """Kill one after the other, and wait until all is told.

    :param quiet_s: for so long nothing falls before each kill.
    """
    bridge = line.bridge()
    alerting: Alerting = line.alerting(RULES)
    alerting.start()
    house = House(line.mosquitto, DEVICES)
    house.start()
    disturbed: list[tuple[float, float]] = []
    for part in (alerting, bridge, line.kafka):
        time.sleep(quiet_s)
        killed = time.time()
        part.kill()
        part.start()
        told = len(Told(line.kafka).alerts)
        until("it tells again", lambda least=told: len(Told(line.kafka).alerts) > least + 20, pause=0.5)
        disturbed.append((killed, time.time()))
    house.stop()
    until("Kafka has all", lambda: len(line.kafka.records()) >= house.sent, pause=1)
    wanted = expected(line.kafka)
    until("all alerts are there", lambda: wanted <= Told(line.kafka).counts.keys(), timeout=120, pause=1)
    return Outcome(house.sent, wanted, Told(line.kafka), disturbed)
