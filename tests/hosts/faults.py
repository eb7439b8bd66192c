"""What is done to a cluster under numbered traffic, and what must be true afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import disk, host, package, traffic
from .cluster import TOPIC, Nodes
from .deployed import wait_until
from .disk import DATA

SECONDS = 180
SMALL_MIB = 600


def leader_killed(nodes: Nodes, path: Path, *, active: bool | None = None) -> float:
    """SIGKILL the leader of a partition while messages flow: each acknowledged one is read back, once and in order.

    :param active: whether it is to be the active controller too; None takes the leader of the first partition.
    :returns: for how many seconds a partition acknowledged nothing.
    """
    nodes.await_whole()
    nodes.create()
    partition, killed = choose(nodes, active)
    with traffic.sent(nodes.servers, TOPIC, path):
        before = traffic.count(path)
        nodes.signal(killed, "SIGKILL")
        nodes.await_leader(TOPIC, partition, other_than=killed)
        nodes.await_whole()
    ledger = traffic.Ledger.read(path)
    found = traffic.stored(nodes.of(killed), TOPIC)
    fates = f"{len(ledger.acked)} acknowledged, {len(ledger.failed)} failed, {len(found)} read"
    print(f"leader {killed} killed after {before} messages: {fates}; longest gap {ledger.longest_gap:.3f} s")
    traffic.prove(ledger, found)
    assert len(ledger.acked) > before, "nothing was acknowledged after the kill"
    return ledger.longest_gap


def choose(nodes: Nodes, active: bool | None) -> tuple[int, int]:
    """A partition and its leader; three partitions of a new topic on three nodes have three leaders."""
    leaders = [(number, nodes.leader(TOPIC, number)) for number in range(3)]
    controller = nodes.active_controller()
    return next(one for one in leaders if active in (None, one[1] == controller))


def killed(nodes: Nodes, node: int) -> None:
    """SIGKILL a node, and wait until systemd has started it again and it serves."""
    pi, run = nodes.of(node), "systemctl show kafka.service --property InvocationID --value"
    before = host.as_root(pi, run)
    nodes.signal(node, "SIGKILL")
    wait_until(lambda: host.as_root(pi, run) != before, SECONDS, f"node {node} is started again")
    wait_until(lambda: is_active(pi), SECONDS, f"node {node} serves again")


@contextlib.contextmanager
def standing_still(nodes: Nodes, node: int) -> Iterator[None]:
    """SIGSTOP a node, and let it go on in the end."""
    nodes.signal(node, "SIGSTOP")
    try:
        yield
    finally:
        nodes.signal(node, "SIGCONT")


@contextlib.contextmanager
def cut(nodes: Nodes, one: int, other: int) -> Iterator[None]:
    """Drop what two nodes send to each other, without a word to either; all others reach both."""
    pairs = [(nodes.of(one), nodes.of(other)), (nodes.of(other), nodes.of(one))]
    for pi, peer in pairs:
        firewall(pi, "--insert", peer)
    try:
        yield
    finally:
        for pi, peer in pairs:
            firewall(pi, "--delete", peer)


def firewall(pi: host.Host, change: str, peer: host.Host) -> None:
    """Insert or delete the rule by which a host drops what a peer sends; the program is this machine's."""
    package.ensure({"iptables": "iptables"})
    host.in_namespace(pi, "net", "iptables", change, "INPUT", "--source", peer.address, "--jump", "DROP")


@dataclass(frozen=True)
class Disk:
    """A small file system for the records of a node."""

    pi: host.Host

    def fill(self) -> None:
        """Leave nothing, and wait until Kafka has noticed and ended."""
        host.as_root(self.pi, f"cat /dev/zero > {DATA}/somebody-elses 2>/dev/null || true")
        told = "systemctl show kafka.service --property StatusText --value"
        held = "held back until"
        wait_until(lambda: host.as_root(self.pi, told).startswith(held), SECONDS, "the full disk ends the broker")

    def relieve(self) -> None:
        """Remove what fills it, and wait until Kafka has come back by itself."""
        host.as_root(self.pi, f"rm {DATA}/somebody-elses")
        wait_until(lambda: is_active(self.pi), SECONDS, "the broker comes back")


@contextlib.contextmanager
def small_disk(nodes: Nodes, node: int) -> Iterator[Disk]:
    """Move the records of a node to a small file system, and back in the end."""
    with disk.small(nodes.of(node), SMALL_MIB):
        nodes.await_whole()
        yield Disk(nodes.of(node))


def is_active(pi: host.Host) -> bool:
    """Whether the broker of a host serves clients, as its unit says."""
    return host.as_root(pi, "systemctl is-active kafka || true").strip() == "active"
