"""What devices measure: the temperature of a room and the CPU load of a Pi in it.

A device reads tables that all of them share, each from a place of its own, since a generator of random numbers per
device and value would be most of what a message costs.
"""

from __future__ import annotations

import math
import random
from typing import NamedTuple

SIZE = 4096  # a power of two; at a message a second values come again after an hour
MASK = SIZE - 1
DAY_S = 86_400
WARMEST_S = 15 * 3600  # UTC
DAY_AMPLITUDE = 4.0
NOISE = 0.15
# A sensor now and then tells nonsense.
SPIKE_SHARE = 0.002
SPIKE = (8.0, 20.0)
# A process raises the load, and it falls back to that of an idle Pi.
IDLE = 6.0
FALLS_BACK = 0.08
BUSY_SHARE = 0.01
BUSY = (20.0, 70.0)
WARMS = 0.12  # degrees for each percent of CPU load


class Traits(NamedTuple):
    """What is a device's own.

    :ivar phase: from 0 to 1, where in its interval it sends.
    :ivar skew_ns: by how much its clock is ahead.
    :ivar place: where in the tables it begins.
    :ivar mean: degrees Celsius of its room.
    """

    phase: float
    skew_ns: int
    place: int
    mean: float


def traits(seed: int, device: str, skew_s: float) -> Traits:
    """Return what is a device's own; it depends on nothing else, so not on the number of devices or workers."""
    chance = random.Random(f"{seed}/{device}")
    return Traits(
        phase=chance.random(),
        skew_ns=int(chance.uniform(-skew_s, skew_s) * 1e9),
        place=chance.randrange(SIZE),
        mean=chance.uniform(18.0, 26.0),
    )


class Values:
    """The tables.

    :ivar load: CPU load in percent, one value after the other.
    :ivar warmth: by how many degrees noise, spikes and the CPU load raise the temperature.
    """

    def __init__(self, seed: int) -> None:
        chance = random.Random(seed)
        self.load: list[float] = []
        self.warmth: list[float] = []
        load = IDLE
        for _each in range(SIZE):
            load += (IDLE - load) * FALLS_BACK + chance.gauss(0, 1)
            if chance.random() < BUSY_SHARE:
                load += chance.uniform(*BUSY)
            load = min(100.0, max(0.0, load))
            spike = chance.uniform(*SPIKE) if chance.random() < SPIKE_SHARE else 0.0
            self.load.append(load)
            self.warmth.append(chance.gauss(0, NOISE) + WARMS * load + spike)


def day_curve(unix_s: float) -> float:
    """Return by how many degrees the time of the day raises the temperature."""
    return DAY_AMPLITUDE * math.cos(2 * math.pi * (unix_s - WARMEST_S) / DAY_S)
