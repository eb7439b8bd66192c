"""All nodes are restarted, one after the other."""

from __future__ import annotations

from tests.hosts import roll
from tests.hosts.cluster import Nodes
from tests.hosts.flow import Flow
from tests.hosts.play import playbook


def test_rolling_restart(nodes: Nodes, flow: Flow) -> None:
    with flow.step("rolling restart of three nodes"):
        run = playbook(nodes.name, book=roll.BOOK)
        assert run.code == 0
    print(roll.Rolled.of(run))
