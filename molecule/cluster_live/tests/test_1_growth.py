"""One Pi becomes three."""

from __future__ import annotations

from tests.hosts import growing
from tests.hosts.cluster import Nodes
from tests.hosts.flow import Flow
from tests.hosts.play import playbook


def test_one_becomes_three(nodes: Nodes, flow: Flow) -> None:
    with flow.step("growth from one Pi to three"):
        run = playbook(nodes.name, *growing.DECLARED, timeout=1200)
        assert run.code == 0
    growing.is_grown(nodes)
