"""For how long a partition of a cluster takes no writes: in a rolling restart, and when its leader is killed."""

from __future__ import annotations

import contextlib
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.hosts import cluster, faults, roll, traffic
from tests.hosts.deployed import extra
from tests.hosts.play import Run, playbook
from tests.hosts.step import Failure, step

from .table import computer, load

SET = "benchfailover"
ROUNDS = 3


class Line(NamedTuple):
    """A measure of several rounds, and what it may be at most."""

    what: str
    values: Sequence[float]
    limit: float | None = None

    def __str__(self) -> str:
        told = f"  {self.what:<58}{statistics.median(self.values):>8.2f}{max(self.values):>8.2f}"
        if self.limit is None:
            return told
        return f"{told}  <= {self.limit:g}{'' if max(self.values) <= self.limit else '  MISSED'}"


def main() -> str:
    before = load()
    # What tests print is for who looks at a failure; the table alone is the result.
    with contextlib.redirect_stdout(sys.stderr):
        rolls, default, fast = measured()
    gates = [ms / 1000 for _gap, one in rolls for _requests, ms in one.gates.values()]
    requests = sorted({number for _gap, one in rolls for number, _ms in one.gates.values()})
    rows = [
        Line("rolling restart of three nodes: longest gap, s", [gap for gap, _one in rolls], 1),
        Line("  all of it, s", [one.seconds for _gap, one in rolls]),
        Line("  of that the gate of a node, s", gates, 1),
        Line("SIGKILL of a leader, default: longest gap, s", default[False]),
        Line("  that is the active controller too, s", default[True]),
        Line("SIGKILL of a leader, fast_failover: longest gap, s", fast[False], 5),
        Line("  that is the active controller too, s", fast[True], 5),
    ]
    return "\n".join(
        [
            f"{computer()}; load {before} to {load()}",
            "How long a partition takes no writes, acks=all",
            f"  {'':<58}{'median':>8}{'longest':>8}  wanted",
            *map(str, rows),
            f"  {ROUNDS} rounds of each; 100 messages/s to 3 partitions, and how long one acknowledged none.",
            f"  A gate is {' or '.join(map(str, requests))} requests. Each acknowledged message was read back.\n",
        ]
    )


def measured() -> tuple[list[tuple[float, roll.Rolled]], dict[bool, list[float]], dict[bool, list[float]]]:
    """Rolls with their longest gaps, and what kills() returns with the default and with fast_failover."""
    with tempfile.TemporaryDirectory() as folder, cluster.bare(SET) as nodes:
        done(playbook(SET, timeout=1200))
        rolls = [rolled(nodes, Path(folder) / f"roll-{number}") for number in range(ROUNDS)]
        default = kills(nodes, Path(folder) / "default")
        with step("choose fast_failover"):
            done(playbook(SET, *extra(kraft_broker_failover="fast_failover")))
        return rolls, default, kills(nodes, Path(folder) / "fast")


def done(run: Run) -> Run:
    """Go on after a run that succeeded."""
    if run.code:
        raise Failure("a play failed", run.output[-2000:], "run it by hand")
    return run


def rolled(nodes: cluster.Nodes, path: Path) -> tuple[float, roll.Rolled]:
    """Restart all nodes under traffic; returns the longest gap, and what the run has said."""
    nodes.await_whole()
    nodes.create()
    with step("restart three nodes one after the other"), traffic.sent(nodes.servers, cluster.TOPIC, path):
        run = done(playbook(SET, book=roll.BOOK))
    return roll.nothing_is_lost(nodes, path).longest_gap, roll.Rolled.of(run)


def kills(nodes: cluster.Nodes, path: Path) -> dict[bool, list[float]]:
    """Kill leaders; returns the longest gaps by whether the leader was the active controller too."""
    found: dict[bool, list[float]] = {False: [], True: []}
    for number in range(ROUNDS):
        for active, gaps in found.items():
            with step(f"kill {'the active controller' if active else 'a leader'}"):
                gaps.append(faults.leader_killed(nodes, path.with_suffix(f".{number}-{active}"), active=active))
    return found
