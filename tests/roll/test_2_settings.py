"""A setting that has changed: in force without a restart where Kafka takes it so, else one node after the other."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.raspi.kafka.plugins.module_utils._kafka import BROKER, describe_configs

from tests.hosts import cut_off, roll, traffic
from tests.hosts.cluster import TOPIC, Nodes
from tests.hosts.deployed import extra
from tests.hosts.play import playbook

HOSTS = ("pi1", "pi2", "pi3")
THREADS = "num.io.threads"
# Which a running broker does not take.
QUEUE = "queued.max.requests"


def in_force(nodes: Nodes, key: str) -> list[str | None]:
    """What each broker says that it does."""
    with nodes.admin() as admin:
        return [describe_configs(admin, BROKER, [str(node)], node)[str(node)][key].value for node in (1, 2, 3)]


def restarted(before: list[str], after: list[str]) -> list[str]:
    """Names of the hosts whose broker runs in another invocation now."""
    return [name for name, old, new in zip(HOSTS, before, after, strict=True) if old != new]


def test_a_setting_that_a_running_broker_takes_is_in_force_without_a_restart(nodes: Nodes) -> None:
    before = nodes.invocations()
    three = extra(kraft_broker_extra_config={THREADS: 3})
    run = playbook(nodes.name, *three)
    assert run.code == 0
    assert run.text.count(f"set {THREADS}=3 without a restart (was 4)") == 3
    assert in_force(nodes, THREADS) == ["3", "3", "3"]
    again = playbook(nodes.name, *three)
    assert [again.count(name, "changed") for name in HOSTS] == [0, 0, 0]
    assert nodes.invocations() == before


def test_after_a_restart_it_is_in_force_too_and_nothing_is_left_to_change(nodes: Nodes) -> None:
    three = extra(kraft_broker_extra_config={THREADS: 3})
    assert playbook(nodes.name, book=roll.BOOK).code == 0
    assert in_force(nodes, THREADS) == ["3", "3", "3"]
    again = playbook(nodes.name, *three)
    assert [again.count(name, "changed") for name in HOSTS] == [0, 0, 0]


def test_what_the_file_says_next_is_in_force_next(nodes: Nodes) -> None:
    """A dynamic config of before would win over the file for ever."""
    before = nodes.invocations()
    assert playbook(nodes.name).code == 0
    assert in_force(nodes, THREADS) == ["4", "4", "4"]
    assert nodes.invocations() == before


def test_a_setting_that_it_does_not_take_rolls_the_cluster_and_loses_nothing(nodes: Nodes, tmp_path: Path) -> None:
    """The play is killed in the middle; the same play again restarts the nodes that are left."""
    nodes.create()
    changed = extra(kraft_broker_extra_config={QUEUE: 400})
    last = f"pi{nodes.active_controller()}"
    second = [name for name in HOSTS if name != last][1]
    before = nodes.invocations()
    with traffic.sent(nodes.servers, TOPIC, tmp_path / "ledger"):
        cut_off.killed_after(nodes.name, tmp_path / "log", f"Wait until the broker serves clients|{second}", *changed)
        between = nodes.invocations()
        run = playbook(nodes.name, *changed)
    assert run.code == 0
    order = roll.planned((tmp_path / "log").read_text())
    done = order[: order.index(second) + 1]
    assert sorted(done) == restarted(before, between)
    assert sorted(set(order) - set(done)) == restarted(between, nodes.invocations())
    assert in_force(nodes, QUEUE) == ["400", "400", "400"]
    roll.nothing_is_lost(nodes, tmp_path / "ledger")
