"""What is done to a cluster under numbered traffic, and what must be true afterwards."""

from __future__ import annotations

from pathlib import Path

from . import host, traffic
from .cluster import TOPIC, Nodes


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
        host.as_root(nodes.of(killed), "systemctl kill --signal=SIGKILL kafka.service")
        nodes.await_leader(TOPIC, partition, other_than=killed)
        nodes.await_whole()
    ledger = traffic.Ledger.read(path)
    found = traffic.stored(nodes.of(killed), TOPIC)
    fates = f"{len(ledger.acked)} acknowledged, {len(ledger.failed)} failed, {len(found)} read"
    print(f"leader {killed} killed after {before} messages: {fates}; longest gap {ledger.longest_gap:.3f} s")
    assert traffic.judge(ledger, found) == []
    assert len(ledger.acked) > before, "nothing was acknowledged after the kill"
    lost, number = next(iter(found.items()))
    assert traffic.judge(ledger, {place: one for place, one in found.items() if place != lost}) == [
        f"message {number} was acknowledged at {lost} and is not there"
    ], "the ledger must miss what is taken away"
    return ledger.longest_gap


def choose(nodes: Nodes, active: bool | None) -> tuple[int, int]:
    """A partition and its leader; three partitions on three nodes have three leaders."""
    leaders = [(number, nodes.leader(TOPIC, number)) for number in range(3)]
    controller = nodes.active_controller()
    return next((one for one in leaders if active in (None, one[1] == controller)), leaders[0])
