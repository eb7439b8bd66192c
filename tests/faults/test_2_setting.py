"""A changed setting under numbered traffic."""

from __future__ import annotations

from pathlib import Path

from tests.hosts import traffic
from tests.hosts.cluster import TOPIC, Nodes
from tests.hosts.deployed import extra
from tests.hosts.play import playbook


def test_a_changed_setting_restarts_one_node_after_the_other_and_loses_nothing(nodes: Nodes, tmp_path: Path) -> None:
    nodes.create()
    before = nodes.invocations()
    with traffic.sent(nodes.servers, TOPIC, tmp_path / "ledger"):
        run = playbook(nodes.name, *extra(kraft_broker_extra_config={"num.io.threads": 3}))
        assert run.code == 0
    after = nodes.invocations()
    assert all(old != new for old, new in zip(before, after, strict=True))
    ledger = traffic.Ledger.read(tmp_path / "ledger")
    assert ledger.failed == []
    assert traffic.judge(ledger, traffic.stored(nodes.of(1), TOPIC)) == []
    restarts = nodes.each("systemctl show kafka.service --property ActiveEnterTimestampMonotonic --value")
    print("active since (us):", restarts)
    assert playbook(nodes.name).code == 0
