"""What was acknowledged is there, and only once; and nothing else has changed."""

from __future__ import annotations

from tests.hosts import growing, traffic
from tests.hosts.cluster import TOPIC, Nodes
from tests.hosts.flow import Flow
from tests.hosts.play import playbook


def test_each_acknowledged_message_is_read_back_once_and_in_order(nodes: Nodes, flow: Flow) -> None:
    ledger = flow.end()
    found = traffic.stored(nodes.of(1), TOPIC)
    print(f"\n{flow.account(ledger)}; {len(found)} read")
    traffic.prove(ledger, found)


def test_site_changes_nothing_after_all_that(nodes: Nodes) -> None:
    run = playbook(nodes.name, *growing.DECLARED)
    assert run.code == 0
    assert [run.count(pi.name, "changed") for pi in nodes.hosts] == [0, 0, 0]
