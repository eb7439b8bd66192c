"""What a roll of a cluster has said and done, and what must be true afterwards."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from . import host, traffic
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
        (planned,) = re.findall(r"one after the other: (.*?)\"", run.text)
        gates = re.findall(r"(\w+) was restarted in [\d.]+ s; the gate took (\d+) requests and (\d+) ms", run.text)
        (seconds,) = re.findall(r"nodes were restarted in ([\d.]+) s", run.text) or ["nan"]
        return cls(
            re.findall(r"\d+\. (\w+)", planned),
            {name: (int(requests), int(ms)) for name, requests, ms in gates},
            float(seconds),
        )

    def __str__(self) -> str:
        told = ", ".join(f"{name} {requests} requests {ms} ms" for name, (requests, ms) in self.gates.items())
        return f"{' '.join(self.order)} restarted in {self.seconds} s; gates: {told}"


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
    assert traffic.judge(ledger, found) == []
    return ledger


def stalled(nodes: Nodes, node_id: int) -> None:
    """SIGSTOP a node, and wait until the others know that it is gone: its replicas lag, and its broker is fenced."""
    host.as_root(nodes.of(node_id), "systemctl kill --signal=SIGSTOP kafka.service")

    def is_out() -> bool:
        return all(node_id not in one["isr_nodes"] for one in nodes.partitions() if len(one["replica_nodes"]) > 1)

    wait_until(is_out, 60, f"no replica of node {node_id} is in sync")
