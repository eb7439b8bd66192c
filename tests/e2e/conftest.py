"""A real KRaft broker out of the release archive, for the session."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECONDS_TO_START = 90
SECONDS_TO_STOP = 20
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=LAN://0.0.0.0:{lan},LOCAL://127.0.0.1:{local},WRONG://127.0.0.1:{wrong},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=LAN://127.0.0.1:{lan},LOCAL://127.0.0.1:{local},WRONG://127.0.0.1:{closed},CONTROLLER://127.0.0.1:{controller}
listener.security.protocol.map=LAN:PLAINTEXT,LOCAL:PLAINTEXT,WRONG:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=LAN
controller.listener.names=CONTROLLER
log.dirs={data}
auto.create.topics.enable=false
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=2
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
"""


@dataclass(frozen=True)
class Broker:
    """Where the broker of the session is."""

    lan: str
    local: str
    wrong: str  # a listener that advertises an address where nothing listens
    closed: str
    data: Path
    properties: Path


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _number in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def java(class_path: str, main: str, *arguments: str) -> list[str]:
    return ["java", "-Xmx256m", "-cp", class_path, main, *arguments]


def storage_tool(class_path: str, *arguments: str) -> str:
    command = java(class_path, "kafka.tools.StorageTool", *arguments)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def wait_for(server: str, process: subprocess.Popen[bytes], log: Path) -> None:
    host, port = server.rsplit(":", 1)
    end = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < end:
        assert process.poll() is None, f"the broker ended: {log.read_text()[-3000:]}"
        try:
            socket.create_connection((host, int(port)), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"no broker within {SECONDS_TO_START} s: {log.read_text()[-3000:]}")


def stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(SECONDS_TO_STOP)


@pytest.fixture(scope="session")
def class_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The class path of the release archive."""
    archive = os.environ.get("RASPI_KAFKA_ARCHIVE")
    if not archive:
        pytest.fail("RASPI_KAFKA_ARCHIVE names no release archive: python -m tests.hosts makes one")
    directory = tmp_path_factory.mktemp("release")
    shutil.unpack_archive(archive, directory)
    return f"{next(directory.glob('*/libs'))}/*"


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory, class_path: str) -> Iterator[Broker]:
    root = tmp_path_factory.mktemp("kafka")
    lan, local, wrong, closed, controller = free_ports(5)
    data, properties, log = root / "data", root / "server.properties", root / "broker.log"
    ports = {"lan": lan, "local": local, "wrong": wrong, "closed": closed, "controller": controller}
    properties.write_text(PROPERTIES.format(data=data, **ports))
    cluster_id = storage_tool(class_path, "random-uuid").splitlines()[-1]
    storage_tool(class_path, "format", "-t", cluster_id, "-c", str(properties), "--standalone")
    with log.open("wb") as output:
        command = java(class_path, "kafka.Kafka", str(properties))
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        servers = [f"127.0.0.1:{port}" for port in (lan, local, wrong, closed)]
        wait_for(servers[0], process, log)
        yield Broker(*servers, data=data, properties=properties)
    finally:
        stop(process)
        shutil.rmtree(root, ignore_errors=True)
