"""Numbered traffic that goes on through many steps, and its one ledger."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from . import traffic
from .cluster import TOPIC, Nodes


class Step(NamedTuple):
    """What happened while messages flowed, from when to when by the sender's clock, in s."""

    name: str
    begin: float
    end: float


class Flow:
    """Messages are sent from the start to the end; each step must have some that were acknowledged after it."""

    def __init__(self, nodes: Nodes, path: Path) -> None:
        self._nodes = nodes
        self._path = path
        self._sending = contextlib.ExitStack()
        self._steps: list[Step] = []

    def start(self) -> None:
        """Send to the topic, which is there."""
        self._sending.enter_context(traffic.sent(self._nodes.servers, TOPIC, self._path))

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Do something to the cluster, which is whole after it."""
        begin = time.monotonic()
        yield
        self._nodes.await_whole()
        traffic.await_lines(self._path, traffic.count(self._path) + traffic.PER_SECOND)
        self._steps.append(Step(name, begin, time.monotonic()))

    def end(self) -> traffic.Ledger:
        """Send no more; all messages have their line."""
        self._sending.close()
        return traffic.Ledger.read(self._path)

    def account(self, ledger: traffic.Ledger) -> str:
        """Return a line for each step: how long it took, and for how long a partition acknowledged nothing in it."""
        lines = [
            f"{step.name:<44} {step.end - step.begin:6.1f} s, longest gap {ledger.gap(step.begin, step.end):7.3f} s"
            for step in self._steps
        ]
        return "\n".join([f"{len(ledger.acked)} acknowledged, {len(ledger.failed)} failed", *lines])
