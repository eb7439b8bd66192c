"""A gateway with records becomes the first of three under numbered traffic; then it dies, and nothing is missed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from kafka import TopicPartition

from tests.hosts import cache, growing, host, mqtt, traffic
from tests.hosts.cluster import TOPIC, Nodes
from tests.hosts.deployed import extra
from tests.hosts.host import as_root
from tests.hosts.play import playbook

DEVICE = "kitchen"


@pytest.fixture(scope="module")
def ledger(nodes: Nodes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One Pi with records, and numbered messages to it for as long as the tests of this module take."""
    assert growing.deploy_alone(nodes).code == 0
    growing.fill(nodes, 8)
    path = tmp_path_factory.mktemp("traffic") / "ledger"
    with traffic.sent(nodes.servers, TOPIC, path):
        yield path


@pytest.fixture(scope="module")
def committed(nodes: Nodes, ledger: Path) -> dict[TopicPartition, tuple[int, int]]:
    """What a group has read of the one Pi: the first offset of each partition, and the next."""
    traffic.await_lines(ledger, 300)
    return growing.read_some(nodes.servers[:1])


@pytest.mark.usefixtures("ledger")
def test_a_dry_run_tells_what_would_be_copied_and_copies_nothing(nodes: Nodes) -> None:
    run = playbook(nodes.name, *growing.DECLARED, "--check", "--diff", timeout=1200)
    assert run.code == 0
    assert '"telemetry": {' in run.text, "the diff of its replicas"
    assert "Would restart: 1. pi1" in run.text
    assert growing.leaders(nodes, "telemetry") == {1: 4}
    for number in (2, 3):
        assert as_root(nodes.of(number), "ls -d /etc/kafka /opt/kafka 2>/dev/null || true") == ""


def test_one_becomes_three_while_messages_flow(
    nodes: Nodes, ledger: Path, committed: dict[TopicPartition, tuple[int, int]]
) -> None:
    assert len(committed) == 3
    run = playbook(nodes.name, *growing.DECLARED, timeout=1200)
    assert run.code == 0
    growing.is_grown(nodes)
    growing.went_on(growing.judged(nodes.servers[1:], ledger))
    assert "MiB to other brokers, of" in run.text


def test_a_second_run_changes_nothing(nodes: Nodes, ledger: Path) -> None:
    again = playbook(nodes.name, *growing.DECLARED, timeout=1200)
    assert again.code == 0
    assert [again.count(f"pi{number}", "changed") for number in (1, 2, 3)] == [0, 0, 0]
    growing.went_on(traffic.Ledger.read(ledger))
    mqtt.admit(nodes.name, DEVICE)


def test_the_first_dies_and_the_others_go_on(
    nodes: Nodes, ledger: Path, committed: dict[TopicPartition, tuple[int, int]]
) -> None:
    nodes.await_whole()
    host.kill(nodes.of(1).container)
    for partition in range(3):
        nodes.await_leader(TOPIC, partition, other_than=1)
    traffic.await_lines(ledger, traffic.count(ledger) + 3 * traffic.PER_SECOND)
    growing.judged(nodes.servers[1:], ledger)
    gone_on = growing.read_some(nodes.servers[1:])
    assert {place: first for place, (first, _next) in gone_on.items()} == {
        place: following for place, (_first, following) in committed.items()
    }


def test_a_device_of_another_pi_and_alerting_are_served(nodes: Nodes) -> None:
    text = (cache.directory(nodes.name) / "credentials" / "pi2.yml").read_text()
    password = yaml.safe_load(text)["passwords"][DEVICE]
    pi = nodes.of(2)
    with mqtt.records(pi, "telemetry") as records, mqtt.connected(pi, DEVICE, password) as device:
        assert device.publish(f"devices/{DEVICE}/temperature", b'{"celsius": 21}').value == 0
        (record,) = records.of(DEVICE, 1)
    assert record.value == b'{"celsius": 21}'
    run = playbook(nodes.name, book="playbooks/verify.yml")
    assert run.count("pi2", "failed") == run.count("pi3", "failed") == 0
    assert run.text.count("of alerting") >= 1


def test_the_load_test_goes_on(nodes: Nodes) -> None:
    """Messages of simulated devices go through both gateways that are left; planted alerts come once each."""
    asked = extra(load_test_stages=[10], load_test_seconds=10)
    run = playbook(nodes.name, *asked, book="playbooks/load_test.yml")
    assert [run.count(f"pi{number}", "unreachable") for number in (1, 2, 3)] == [1, 0, 0]
    assert run.text.count("10 devices, 1 message/s each, QoS 1, 10 s: passed") == 2
