"""The growth from one Pi to three is cut off at each of its steps under numbered traffic; the same command goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.raspi.kafka.plugins.module_utils._replicas import look

from tests.hosts import cut_off, growing, host, traffic
from tests.hosts.cluster import TOPIC, Nodes
from tests.hosts.host import as_root
from tests.hosts.play import playbook

SLOWLY = ["-e", "kraft_broker_copy_rate_mb=1"]
HOSTS = ["pi1", "pi2", "pi3"]
# What is short is cut off when it is done on a host.
TASKS = {
    "admit": "Make the controllers voters, one after the other|pi2",
    "grow": "Give topics the replicas that so many brokers can have|pi1",
    "ask for two": "Own the cluster-wide dynamic defaults|pi1",
    "of Kafka's own": "Let Kafka's own topics ask for as many|pi1",
}


def runs(pi: host.Host, pattern: str) -> bool:
    """Whether a process runs on a host; brackets keep pgrep from finding its own shell."""
    return bool(as_root(pi, f"pgrep -f '{pattern}' || true"))


# What is long is cut off while it is under way.
MOMENTS: dict[str, Callable[[Nodes], bool]] = {
    "restart": lambda nodes: "9094" in as_root(nodes.of(1), "ss -Hltn"),
    "format": lambda nodes: runs(nodes.of(2), "[k]afka.tools.StorageTool format"),
    "join": lambda nodes: runs(nodes.of(3), "[k]afka.Kafka /etc/kafka/server.properties"),
    "copy": lambda nodes: growing.under_way(nodes) > 0,
}
STEPS = ["restart", "format", "join", "admit", "copy", "grow", "ask for two", "of Kafka's own"]


@pytest.fixture(scope="module")
def ledger(nodes: Nodes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One Pi with records, and numbered messages to it for as long as the tests of this module take."""
    assert growing.deploy_alone(nodes).code == 0
    growing.fill(nodes, 8)
    path = tmp_path_factory.mktemp("traffic") / "ledger"
    with traffic.sent(nodes.servers, TOPIC, path):
        yield path


def killed_at(nodes: Nodes, moment: Callable[[Nodes], bool], log: Path) -> None:
    """Kill a run as soon as something is to be seen on its hosts."""
    assert not moment(nodes), "it is under way already, so that it cannot be seen to begin"
    with cut_off.running(nodes.name, log, *growing.DECLARED, *SLOWLY) as process:
        deadline = time.monotonic() + cut_off.SECONDS
        while not moment(nodes):
            assert process.poll() is None, f"the run ended before its moment came:\n{log.read_text()[-3000:]}"
            assert time.monotonic() < deadline, f"the moment did not come:\n{log.read_text()[-3000:]}"
            time.sleep(0.05)


@pytest.mark.parametrize("step", STEPS)
def test_a_run_that_is_killed_at_a_step_stops_no_writer(nodes: Nodes, ledger: Path, step: str, tmp_path: Path) -> None:
    began = time.monotonic()
    if step in TASKS:
        cut_off.killed_after(nodes.name, tmp_path / "log", TASKS[step], *growing.DECLARED, *SLOWLY)
    else:
        killed_at(nodes, MOMENTS[step], tmp_path / "log")
    if step == "copy":
        # Else it would go on to the end of the copies on its own, and leave nothing for the next run. A module comes to
        # its interpreter by a pipe, so that the command line is that alone.
        as_root(nodes.of(1), "pkill -9 -fx '/[^ ]+/python[0-9.]*' || true")
    traffic.await_lines(ledger, traffic.count(ledger) + traffic.PER_SECOND)
    growing.went_on(traffic.Ledger.read(ledger), began)
    if step == "copy":
        with nodes.admin() as admin:
            assert look(admin).topics["telemetry"].mark, "nothing says whose throttle it is"
        assert growing.min_isr(nodes, "telemetry") == ["1"]


def test_the_same_command_ends_with_all_replicas_and_then_changes_nothing(nodes: Nodes, ledger: Path) -> None:
    began = time.monotonic()
    run = playbook(nodes.name, *growing.DECLARED, timeout=1200)
    assert run.code == 0
    growing.is_grown(nodes)
    again = playbook(nodes.name, *growing.DECLARED, timeout=1200)
    assert again.code == 0
    assert [again.count(name, "changed") for name in HOSTS] == [0, 0, 0]
    growing.went_on(growing.judged(nodes.servers, ledger), began)
