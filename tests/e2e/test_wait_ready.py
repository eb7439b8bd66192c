"""Readiness of real nodes, of a broker whose controller is another process, so that the quorum can be taken away.

RASPI_KAFKA_ARCHIVE=... PYTHONPATH=.collections pytest tests/e2e/test_wait_ready.py
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kafka.admin import KafkaAdminClient

from .conftest import free_ports, java, stop, storage_tool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SCRIPT = Path(__file__).parents[2] / "roles" / "kraft_broker" / "files" / "wait_ready.py"
SECONDS = 90
STOPPED_SECONDS = 20
PATIENCE = 10
CLUSTER_ID = "4L6g3nShT-eMCtK--X86sw"
COMMON = """\
log.dirs={directory}
controller.listener.names=CONTROLLER
listener.security.protocol.map=LOCAL:PLAINTEXT,CONTROLLER:PLAINTEXT
"""
CONTROLLER = """\
process.roles=controller
node.id=100
listeners=CONTROLLER://127.0.0.1:{controller_port}
controller.quorum.bootstrap.servers=127.0.0.1:{controller_port}
"""
# One that joins, and knows of both.
SECOND = """\
process.roles=controller
node.id=101
listeners=CONTROLLER://127.0.0.1:{second_port}
controller.quorum.bootstrap.servers=127.0.0.1:{controller_port},127.0.0.1:{second_port}
"""
# The time-out is the product's: a broker without a controller must wait, not end.
BROKER = """\
process.roles=broker
node.id=1
listeners=LOCAL://127.0.0.1:{broker_port}
controller.quorum.bootstrap.servers=127.0.0.1:{controller_port}
inter.broker.listener.name=LOCAL
offsets.topic.replication.factor=1
initial.broker.registration.timeout.ms=86400000
"""


@dataclass
class Cluster:
    """A controller, and what is formatted to join it: a broker and a second controller."""

    root: Path
    class_path: str
    controller_port: int
    broker_port: int
    second_port: int
    processes: contextlib.ExitStack

    def format(self, name: str, text: str, *how: str) -> None:
        ports = {
            "controller_port": self.controller_port,
            "broker_port": self.broker_port,
            "second_port": self.second_port,
        }
        properties = self.root / f"{name}.properties"
        properties.write_text((COMMON + text).format(directory=self.root / name, **ports))
        storage_tool(self.class_path, "format", "-t", CLUSTER_ID, "-c", str(properties), *how)

    def start(self, name: str) -> subprocess.Popen[bytes]:
        with (self.root / f"{name}.log").open("wb") as log:
            command = java(self.class_path, "kafka.Kafka", str(self.root / f"{name}.properties"))
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        self.processes.callback(stop, process)
        return process

    def wait_ready(self, node: subprocess.Popen[bytes], name: str = "broker") -> subprocess.Popen[bytes]:
        """Start the script as the unit does."""
        config = str(self.root / f"{name}.properties")
        command = [sys.executable, str(SCRIPT), "--config", config, "--patience", str(PATIENCE)]
        with (self.root / "wait_ready.log").open("wb") as log:
            process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, "MAINPID": str(node.pid)}
            )
        self.processes.callback(stop, process)
        return process

    @property
    def said(self) -> str:
        return (self.root / "wait_ready.log").read_text()

    def brokers(self) -> list[int]:
        """The brokers in the metadata, as another client sees them."""
        client = KafkaAdminClient(bootstrap_servers=[f"127.0.0.1:{self.broker_port}"], request_timeout_ms=5000)
        try:
            return [broker["broker_id"] for broker in client.describe_cluster()["brokers"]]
        finally:
            client.close()


@pytest.fixture
def cluster(tmp_path: Path, class_path: str) -> Iterator[Cluster]:
    with contextlib.ExitStack() as processes:
        made = Cluster(tmp_path, class_path, *free_ports(3), processes)
        made.format("controller", CONTROLLER, "--standalone")
        made.format("broker", BROKER, "--no-initial-controllers")
        made.format("second", SECOND, "--no-initial-controllers")
        yield made


def within(seconds: float, what: str, true: Callable[[], bool]) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.1)


def test_a_broker_is_ready_once_metadata_lists_it(cluster: Cluster) -> None:
    cluster.start("controller")
    within(SECONDS, "the controller's port answers", lambda: answers(cluster.controller_port))
    waiting = cluster.wait_ready(cluster.start("broker"))
    assert waiting.wait(SECONDS) == 0, cluster.said
    assert cluster.brokers() == [1]
    assert "Kafka node 1: the JVM starts, its port is closed\n" in cluster.said
    assert cluster.said.endswith("Kafka node 1: ready\n")


def test_a_broker_without_a_quorum_is_waited_for_and_ready_once_there_is_one(cluster: Cluster) -> None:
    controller = cluster.start("controller")
    within(SECONDS, "the controller's port answers", lambda: answers(cluster.controller_port))
    controller.send_signal(signal.SIGSTOP)
    try:
        waiting = cluster.wait_ready(cluster.start("broker"))
        within(SECONDS, "the quorum is missed", lambda: "waiting for a quorum" in cluster.said)
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(STOPPED_SECONDS)
        assert cluster.said.splitlines()[-1] == "Kafka node 1: waiting for a quorum: no controller leads"
    finally:
        controller.send_signal(signal.SIGCONT)
    assert waiting.wait(SECONDS) == 0, cluster.said
    assert cluster.brokers() == [1]
    assert cluster.said.endswith("Kafka node 1: ready\n")


def test_a_controller_alone_is_ready_once_it_leads(cluster: Cluster) -> None:
    waiting = cluster.wait_ready(cluster.start("controller"), "controller")
    assert waiting.wait(SECONDS) == 0, cluster.said
    assert cluster.said.startswith("Kafka node 100: ")
    assert cluster.said.endswith("Kafka node 100: ready\n")


def test_a_controller_that_joins_is_ready_once_it_has_found_the_one_that_leads(cluster: Cluster) -> None:
    waiting = cluster.wait_ready(cluster.start("second"), "second")
    within(SECONDS, "the quorum is missed", lambda: "waiting for a quorum" in cluster.said)
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(STOPPED_SECONDS)
    cluster.start("controller")
    assert waiting.wait(SECONDS) == 0, cluster.said
    assert cluster.said.endswith("Kafka node 101: ready\n")


def test_a_jvm_that_ends_at_its_start_is_a_failure_with_a_sentence(cluster: Cluster) -> None:
    cluster.start("controller")
    with socket.create_server(("127.0.0.1", cluster.broker_port)):
        broker = cluster.start("broker")
        waiting = cluster.wait_ready(broker)
        assert waiting.wait(SECONDS) == 1, cluster.said
        assert broker.wait(SECONDS) != 0
    assert "Address already in use" in (cluster.root / "broker.log").read_text()
    assert cluster.said.splitlines()[-1].startswith("<3>Kafka node 1 did not become ready: its process ended")


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
