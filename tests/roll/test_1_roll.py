"""The nodes of a cluster are restarted one after the other under numbered traffic; and a roll that must not go on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka.admin import NewTopic

from tests.hosts import cut_off, host, roll, traffic
from tests.hosts.cluster import TOPIC, Nodes
from tests.hosts.deployed import extra, fails, wait_until
from tests.hosts.play import playbook

# What restarts a node, in the role.
RESTART = "Wait until the broker serves clients"
IMPATIENT = extra(_kraft_broker_gate_patience=5)


@pytest.fixture
def single(nodes: Nodes) -> Iterator[None]:
    """A topic with one replica, which holds up no roll; without it each partition has all its replicas again."""
    with nodes.admin() as admin:
        admin.create_topics([NewTopic(roll.SINGLE, num_partitions=3, replication_factor=1)])
    yield
    with nodes.admin() as admin:
        admin.delete_topics([roll.SINGLE])
        wait_until(lambda: roll.SINGLE not in admin.list_topics(), 30, f"topic {roll.SINGLE} is gone")


def test_a_dry_run_tells_the_order_and_restarts_nothing(nodes: Nodes) -> None:
    before, leader = nodes.look(), nodes.active_controller()
    run = playbook(nodes.name, "--check", book=roll.BOOK)
    assert run.code == 0
    assert roll.Rolled.of(run).order[-1] == f"pi{leader}"
    assert f"pi{leader} (active controller)" in run.text
    assert "Would restart one after the other" in run.text
    assert nodes.changed_since(before) == []


@pytest.mark.usefixtures("single")
def test_a_roll_loses_nothing_and_ends_with_the_active_controller_and_with_all_leaders_back(
    nodes: Nodes, tmp_path: Path
) -> None:
    nodes.create()
    before, leader = nodes.invocations(), nodes.active_controller()
    with traffic.sent(nodes.servers, TOPIC, tmp_path / "ledger"):
        run = playbook(nodes.name, book=roll.BOOK)
    assert run.code == 0
    assert all(old != new for old, new in zip(before, nodes.invocations(), strict=True))
    rolled = roll.Rolled.of(run)
    print(rolled)
    assert rolled.order[-1] == f"pi{leader}"
    assert roll.since(nodes) == rolled.order
    assert rolled.gates.keys() == {"pi1", "pi2", "pi3"}
    assert run.text.count(f"{roll.SINGLE}: 1 partition cannot be used at all while it is down") == 3
    roll.await_preferred(nodes)
    roll.nothing_is_lost(nodes, tmp_path / "ledger")


def test_the_first_gate_that_fails_stops_the_roll_for_all(nodes: Nodes) -> None:
    """A node that takes no part in the roll is stalled, so that no other one can be spared."""
    roll.stalled(nodes, 3)
    try:
        before = nodes.invocations()
        run = playbook(nodes.name, "--limit", "pi1,pi2", *IMPATIENT, book=roll.BOOK)
        fails(run)
        assert "may not stop now" in run.text
        assert "broker 3 is down" in run.text
        first, second = roll.Rolled.of(run).order
        assert f"{second} was not restarted, since {first} could not be restarted before" in run.text
        assert nodes.invocations() == before
    finally:
        host.as_root(nodes.of(3), "systemctl kill --signal=SIGCONT kafka.service")


def test_a_node_that_stalls_is_restarted_first_and_then_the_others_can_be(nodes: Nodes, tmp_path: Path) -> None:
    nodes.create()
    other = next(node for node in (1, 2, 3) if node != nodes.active_controller())
    before = nodes.invocations()
    with traffic.sent(nodes.servers, TOPIC, tmp_path / "ledger"):
        roll.stalled(nodes, other)
        run = playbook(nodes.name, book=roll.BOOK)
    assert run.code == 0
    assert roll.Rolled.of(run).order[0] == f"pi{other}"
    assert f"1. pi{other} (its broker is fenced, " in run.text
    assert all(old != new for old, new in zip(before, nodes.invocations(), strict=True))
    roll.nothing_is_lost(nodes, tmp_path / "ledger")


def test_a_roll_that_is_killed_in_the_middle_loses_nothing_and_the_same_command_ends_it(
    nodes: Nodes, tmp_path: Path
) -> None:
    nodes.create()
    second = [pi.name for pi in nodes.hosts if pi.name != f"pi{nodes.active_controller()}"][1]
    with traffic.sent(nodes.servers, TOPIC, tmp_path / "ledger"):
        cut_off.killed_after(nodes.name, tmp_path / "log", f"{RESTART}|{second}", book=roll.BOOK)
        before = nodes.invocations()
        run = playbook(nodes.name, book=roll.BOOK)
    assert run.code == 0
    assert all(old != new for old, new in zip(before, nodes.invocations(), strict=True))
    roll.await_preferred(nodes)
    roll.nothing_is_lost(nodes, tmp_path / "ledger")
