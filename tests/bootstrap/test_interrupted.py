"""The bootstrap of a cluster is cut off at each of its steps; the same command again goes on, and ends verified.

The steps are those of the plan. A long one is seen on the hosts by the process that it runs, a short one is cut off
when it is done on its first host. Then the play is killed, and the power of the hosts that were at work is cut.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from ansible_collections.raspi.kafka.plugins.filter.cluster_plan import cluster_plan

from tests.hosts import cut_off, host
from tests.hosts.cluster import Nodes
from tests.hosts.host import as_root
from tests.hosts.play import playbook

SECONDS = 420
HOSTS = ["pi1", "pi2", "pi3"]
BARE = {"cluster_id": "", "recorded": False, "fresh": True, "changed": True}
PLAN = cluster_plan(
    HOSTS,
    controllers=HOSTS,
    identities={name: {**BARE, "node_id": number} for number, name in enumerate(HOSTS, 1)},
    running=[],
    quorums=[],
)
STEPS = [(step["action"], step["hosts"]) for step in PLAN["steps"]]
# What a long step runs on a host; the brackets keep pgrep from finding its own shell.
PROCESSES = {
    "found": "[k]afka.tools.StorageTool format --standalone",
    "start": "[k]afka.Kafka /etc/kafka/server.properties",
    "format": "[k]afka.tools.StorageTool format --no-initial-controllers",
    "join": "[k]afka.Kafka /etc/kafka/server.properties",
}
# The task of a short one.
TASKS = {
    "draw": "Draw the id of the cluster",
    "record": "Record the id of the cluster on its other nodes",
    "admit": "Make the controllers voters, one after the other",
}


def running(nodes: Nodes, action: str, names: list[str]) -> bool:
    """Whether a long step is under way on one of its hosts."""
    find = f"pgrep -f '{PROCESSES[action]}' || true"
    return any(as_root(nodes.of(int(name[2:])), find) for name in names)


def killed_during(nodes: Nodes, action: str, names: list[str], log: Path) -> None:
    """Kill a run while a process of the step runs."""
    assert not running(nodes, action, names), "the step is under way already, so that it cannot be seen to begin"
    with cut_off.running(nodes.name, log) as process:
        deadline = time.monotonic() + SECONDS
        while not running(nodes, action, names):
            assert process.poll() is None, f"the run ended before its moment came:\n{log.read_text()[-3000:]}"
            assert time.monotonic() < deadline, f"the moment did not come:\n{log.read_text()[-3000:]}"
            time.sleep(0.02)


def ids(nodes: Nodes) -> list[str]:
    """The cluster ids that the hosts' manifests have."""
    told = nodes.each("cat /etc/kafka/identity.json 2>/dev/null || true")
    return [json.loads(text)["cluster_id"] for text in told if text]


def test_a_host_that_cannot_be_reached_stops_the_bootstrap_before_anything_changes(nodes: Nodes) -> None:
    host.kill(nodes.of(3).container)
    run = playbook(nodes.name)
    assert run.code != 0
    assert "pi1, pi2 cannot get an identity while pi3 takes no part in this run" in run.text
    assert "Nothing was changed." in run.text
    assert [run.count(name, "changed") for name in HOSTS[:2]] == [0, 0]
    assert as_root(nodes.of(1), "ls -d /etc/kafka /opt/kafka 2>/dev/null || true") == ""
    host.start(nodes.of(3).container)


def test_a_part_of_the_hosts_founds_no_cluster(nodes: Nodes) -> None:
    run = playbook(nodes.name, "--limit", "pi1,pi2")
    assert run.code == 2
    assert "pi1, pi2 cannot get an identity while pi3 takes no part in this run" in run.text
    assert as_root(nodes.of(1), "ls -d /etc/kafka /opt/kafka 2>/dev/null || true") == ""


def test_a_dry_run_on_bare_hosts_tells_the_steps_and_changes_nothing(nodes: Nodes) -> None:
    run = playbook(nodes.name, "--check")
    assert run.code == 0
    assert all(step["says"] in run.text for step in PLAN["steps"])
    assert as_root(nodes.of(1), "ls -d /etc/kafka /opt/kafka 2>/dev/null || true") == ""


def test_a_founder_that_fails_before_it_draws_the_id_leaves_the_others_without_one(nodes: Nodes) -> None:
    """Each would be a stranger to the others for ever, with an id of its own."""
    as_root(nodes.of(1), "mkdir /etc/sysctl.d/60-raspi-kafka.conf")  # where a file has to be
    run = playbook(nodes.name)
    assert run.code == 2
    assert run.text.count("was told no cluster id to join") >= 2
    assert ids(nodes) == []
    as_root(nodes.of(1), "rmdir /etc/sysctl.d/60-raspi-kafka.conf")


@pytest.mark.parametrize(("action", "names"), STEPS, ids=[f"{action}-{'-'.join(names)}" for action, names in STEPS])
def test_a_run_that_is_killed_at_a_step_keeps_the_identity(
    nodes: Nodes, action: str, names: list[str], tmp_path: Path
) -> None:
    known = ids(nodes)
    if action in TASKS:
        cut_off.killed_after(nodes.name, tmp_path / "log", f"{TASKS[action]}|{names[0]}")
    else:
        killed_during(nodes, action, names, tmp_path / "log")
    for name in names:
        host.kill(nodes.of(int(name[2:])).container)
    for name in names:
        host.start(nodes.of(int(name[2:])).container)
    assert len(set(known + ids(nodes))) <= 1


def test_the_same_command_ends_verified_and_then_changes_nothing(nodes: Nodes) -> None:
    (cluster_id,) = set(ids(nodes))
    run = playbook(nodes.name)
    assert run.code == 0
    assert run.text.count("102 sent, 102 read from the beginning, 102 found on disk") == 3
    assert ids(nodes) == [cluster_id] * 3
    assert sorted(nodes.voters()) == [1, 2, 3]
    again = playbook(nodes.name)
    assert again.code == 0
    assert [again.count(name, "changed") for name in HOSTS] == [0, 0, 0]
