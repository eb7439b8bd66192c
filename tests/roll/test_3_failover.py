"""How long a partition takes no writes after its leader was killed, with and without fast_failover."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hosts import faults
from tests.hosts.cluster import Nodes
from tests.hosts.deployed import extra
from tests.hosts.play import playbook

FAST = extra(kraft_broker_failover="fast_failover")
# By default a session ends 9 s after the last heartbeat, which was at most 2 s ago.
BELOW = 6.5


@pytest.fixture(scope="module", autouse=True)
def fast(nodes: Nodes) -> None:
    """Let others take over sooner; each node is restarted for it."""
    before = nodes.invocations()
    assert playbook(nodes.name, *FAST).code == 0
    assert all(old != new for old, new in zip(before, nodes.invocations(), strict=True))
    told = nodes.each("grep -c ^broker.session.timeout.ms=3000 /etc/kafka/server.properties")
    assert told == ["1", "1", "1"]


@pytest.mark.parametrize("active", [False, True], ids=["a broker", "the active controller"])
def test_with_fast_failover_others_lead_before_they_would_by_default(
    nodes: Nodes, tmp_path: Path, active: bool
) -> None:
    gap = faults.leader_killed(nodes, tmp_path / "ledger", active=active)
    assert gap < BELOW
