"""The power of all three is cut, and comes back for one after the other."""

from __future__ import annotations

import time
from pathlib import Path

from tests.hosts import host, traffic
from tests.hosts.cluster import TOPIC, Nodes
from tests.hosts.play import playbook

SECONDS_BETWEEN = 120


def test_all_nodes_come_up_by_themselves_two_minutes_apart(nodes: Nodes, tmp_path: Path) -> None:
    """A node alone waits for the quorum as long as it takes: its unit is never given up and started anew."""
    nodes.create()
    with traffic.sent(nodes.servers, TOPIC, tmp_path / "ledger"):
        pass
    hosts = nodes.hosts
    # What a producer is told is stored is on the disk a second or two later.
    time.sleep(5)
    for pi in hosts:
        host.kill(pi.container)
    for number, pi in enumerate(hosts):
        if number:
            time.sleep(SECONDS_BETWEEN)
            told = host.as_root(hosts[0], "systemctl show kafka.service --property ActiveState,StatusText --value")
            waits = "waiting for a quorum: no controller leads"
            assert set(told.splitlines()) == ({"activating", waits} if number == 1 else {"active", "serves clients"})
        host.power(pi.container)
    nodes.await_whole()
    assert nodes.each("systemctl show kafka.service --property NRestarts --value") == ["0", "0", "0"]
    traffic.prove(traffic.Ledger.read(tmp_path / "ledger"), traffic.stored(hosts[0], TOPIC))
    assert playbook(nodes.name, book="playbooks/verify.yml").code == 0
