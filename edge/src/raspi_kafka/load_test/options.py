"""What the command line asks for."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from ..simulate.options import KINDS

STAGES = (5, 50, 100, 200, 350)
GROUPS = ("a", "b")
# What an event is: done by somebody to the stack, or by the load test itself.
FAULT, STORM, PAUSE, BURST = "fault", "storm", "pause", "burst"
EVENT_KINDS = (FAULT, STORM, PAUSE, BURST, *KINDS)


@dataclass(frozen=True)
class Options:
    """All of it; times in seconds.

    :ivar pause: second after its first message from which on group b does not read, and for how long.
    :ivar run_name: what the run is called; empty: after the time when it begins.
    :ivar events: file of what somebody else does to the stack.
    :ivar planned: what the load test does itself: seconds after a stage began, what, and its kind.
    :ivar simulate: further arguments of the simulator.
    """

    mqtt: str
    kafka: str
    topic: str
    credentials: Path
    stages: tuple[int, ...]
    find_limit: bool
    most: int
    ramp: float
    hold: float
    drain: float
    rate: float
    qos: int
    pause: tuple[float, float] | None
    events: Path | None
    planned: tuple[tuple[float, str, str], ...]
    run_name: str
    out: Path
    append: bool
    simulate: tuple[str, ...]


def count(said: str) -> int:
    """Return a number of devices."""
    if not said.isdecimal() or int(said) < 1:
        raise argparse.ArgumentTypeError(f"{said!r} is no number of devices; give one from 1")
    return int(said)


def counts(said: str) -> tuple[int, ...]:
    """Return numbers of devices out of "5,50,100"."""
    return tuple(count(each) for each in said.split(","))


def pause(said: str) -> tuple[float, float]:
    """Return second and length out of "20:60"."""
    try:
        at, seconds = (float(each) for each in said.split(":"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{said!r} is no AT:SECONDS, such as 20:60") from None
    return at, seconds
