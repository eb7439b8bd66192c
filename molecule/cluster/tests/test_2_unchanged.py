"""A second run, a run on a part, and a list of controllers in another order: nothing stops."""

from __future__ import annotations

import contextlib
from pathlib import Path

from tests.hosts import play
from tests.hosts.cluster import Nodes
from tests.hosts.jvms import executed, jvms
from tests.hosts.play import playbook

CHILDREN = "[controllers:children]\nbrokers\n"


def unchanged(run: play.Run, *hosts: str) -> None:
    assert run.code == 0
    assert [run.count(name, "changed") for name in hosts] == [0] * len(hosts)


def test_a_second_run_changes_nothing_and_starts_no_jvm(nodes: Nodes) -> None:
    before, runs = nodes.look(), nodes.invocations()
    with contextlib.ExitStack() as stack:
        programs = [stack.enter_context(executed(pi.container)) for pi in nodes.hosts]
        unchanged(playbook(nodes.name), "pi1", "pi2", "pi3")
    assert [jvms(each) for each in programs] == [0, 0, 0]
    assert all(sum(each.values()) > 10 for each in programs)  # the watch did see the run
    assert nodes.changed_since(before) == []
    assert nodes.invocations() == runs


def test_a_dry_run_predicts_no_change(nodes: Nodes) -> None:
    before = nodes.look()
    unchanged(playbook(nodes.name, "--check", "--diff"), "pi1", "pi2", "pi3")
    assert nodes.changed_since(before) == []


def test_a_run_on_one_of_three_does_no_harm_and_says_what_it_left(nodes: Nodes) -> None:
    before = nodes.look()
    run = playbook(nodes.name, "--limit", "pi2")
    unchanged(run, "pi2")
    assert "Left as they are, since they took no part in this run: pi1, pi3." in run.text
    assert "102 sent, 102 read from the beginning, 102 found on disk" in run.text
    assert nodes.changed_since(before) == []


def test_another_order_of_the_controllers_is_written_and_restarts_nothing(nodes: Nodes, tmp_path: Path) -> None:
    inventory = play.inventory(nodes.name).read_text()
    assert CHILDREN in inventory
    other = tmp_path / "other.ini"
    other.write_text(inventory.replace(CHILDREN, "[controllers]\npi3\npi2\npi1\n"))
    runs = nodes.invocations()
    run = playbook(nodes.name, other=other)
    assert run.code == 0
    bootstrap = nodes.each("grep ^controller.quorum.bootstrap.servers= /etc/kafka/server.properties")
    assert set(bootstrap) == {"controller.quorum.bootstrap.servers=pi3:9093,pi2:9093,pi1:9093"}
    assert nodes.invocations() == runs
    assert playbook(nodes.name).code == 0
    assert nodes.invocations() == runs
