"""What is done to a cluster under numbered traffic, and what must be true afterwards."""

from __future__ import annotations

from pathlib import Path

from . import host, traffic
from .cluster import TOPIC, Nodes


def leader_killed(nodes: Nodes, path: Path) -> None:
    """SIGKILL the leader of a partition while messages flow: each acknowledged one is read back, once and in order."""
    nodes.await_whole()
    nodes.create()
    killed = nodes.leader(TOPIC, 0)
    with traffic.sent(nodes.servers, TOPIC, path):
        before = traffic.count(path)
        host.as_root(nodes.of(killed), "systemctl kill --signal=SIGKILL kafka.service")
        nodes.await_leader(TOPIC, 0, other_than=killed)
        nodes.await_whole()
    ledger = traffic.Ledger.read(path)
    found = traffic.stored(nodes.of(killed), TOPIC)
    fates = f"{len(ledger.acked)} acknowledged, {len(ledger.failed)} failed, {len(found)} read"
    print(f"leader {killed} killed after {before} messages: {fates}")
    assert traffic.judge(ledger, found) == []
    assert len(ledger.acked) > before, "nothing was acknowledged after the kill"
    lost, number = next(iter(found.items()))
    assert traffic.judge(ledger, {place: one for place, one in found.items() if place != lost}) == [
        f"message {number} was acknowledged at {lost} and is not there"
    ], "the ledger must miss what is taken away"
