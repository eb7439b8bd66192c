"""What a roll of a cluster has said and done, and what must be true afterwards."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from kafka.errors import KafkaError

from . import faults, traffic
from .cluster import TOPIC, Nodes
from .deployed import wait_until
from .play import Run

BOOK = "playbooks/rolling_restart.yml"
SINGLE = "single"


class Rolled(NamedTuple):
    """A run that has restarted nodes one after the other.

    :ivar order: names of the hosts as it was planned.
    :ivar gates: host -> requests and milliseconds of its gate.
    :ivar seconds: what all restarts took.
    """

    order: list[str]
    gates: dict[str, tuple[int, int]]
    seconds: float

    @classmethod
    def of(cls, run: Run) -> Rolled:
        """Read what a run has said."""
        gates = re.findall(r"(\w+) was restarted in [\d.]+ s; the gate took (\d+) requests and (\d+) ms", run.text)
        (seconds,) = re.findall(r"nodes were restarted in ([\d.]+) s", run.text) or ["nan"]
        return cls(
            planned(run.text),
            {name: (int(requests), int(ms)) for name, requests, ms in gates},
            float(seconds),
        )

    def __str__(self) -> str:
        told = ", ".join(f"{name} {requests} requests {ms} ms" for name, (requests, ms) in self.gates.items())
        return f"{' '.join(self.order)} restarted in {self.seconds} s; gates: {told}"


def planned(text: str) -> list[str]:
    """Names of the hosts in the order that a run has said."""
    (order,) = re.findall(r"one after the other: (.*?)\"", text)
    return re.findall(r"\d+\. (\w+)", order)


def since(nodes: Nodes) -> list[str]:
    """Names of the hosts, the one whose broker has been active for the longest first."""
    started = nodes.each("systemctl show kafka.service --property ActiveEnterTimestampMonotonic --value")
    return [name for _time, name in sorted((int(time), pi.name) for time, pi in zip(started, nodes.hosts, strict=True))]


def led_by_others(nodes: Nodes) -> list[tuple[str, int]]:
    """Partitions that their preferred leader does not lead."""
    return [
        (one["topic"], one["partition_index"])
        for one in nodes.partitions()
        if one["leader_id"] != one["replica_nodes"][0]
    ]


def await_preferred(nodes: Nodes) -> None:
    """The broker that is asked may show an election some moments later than the one that the play has asked."""
    wait_until(lambda: led_by_others(nodes) == [], 30, "each partition is led by its preferred leader")


def nothing_is_lost(nodes: Nodes, path: Path) -> traffic.Ledger:
    """Each acknowledged message is read back, once and in order, and none has failed."""
    ledger = traffic.Ledger.read(path)
    found = traffic.stored(nodes.of(1), TOPIC)
    fates = f"{len(ledger.acked)} acknowledged, {len(ledger.failed)} failed, {len(found)} read"
    print(f"{fates}; longest gap in acknowledgements of one partition {ledger.longest_gap:.3f} s")
    assert ledger.failed == []
    traffic.prove(ledger, found)
    return ledger


@contextlib.contextmanager
def stalled(nodes: Nodes, node_id: int) -> Iterator[None]:
    """SIGSTOP a node, and let it go on in the end; the body begins when none of its replicas is in sync any more."""

    def is_out() -> bool:
        try:
            partitions = nodes.partitions()
        except (KafkaError, OSError):
            return False  # the one that is stalled was asked
        return all(node_id not in one["isr_nodes"] for one in partitions if len(one["replica_nodes"]) > 1)

    with faults.standing_still(nodes, node_id):
        wait_until(is_out, 120, f"no replica of node {node_id} is in sync")
        yield
