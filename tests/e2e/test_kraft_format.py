"""kraft_format with the real StorageTool, also where it is killed in the middle.

RASPI_KAFKA_ARCHIVE=... PYTHONPATH=.collections pytest tests/e2e/test_kraft_format.py

As root: the module uses runuser.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kafka.admin import KafkaAdminClient

from .conftest import free_ports, java, stop

REPOSITORY = Path(__file__).parents[2]
COLLECTIONS = REPOSITORY / ".collections"
RUNNER = """
import json, runpy, sys
from tests.module_args import patch_module_args
with patch_module_args(json.load(sys.stdin)):
    runpy.run_module("ansible_collections.raspi.kafka.plugins.modules.kraft_format", run_name="__main__")
"""
SECONDS = 90
ATTEMPTS = 10
PROPERTIES = """\
process.roles=broker,controller
node.id=1
log.dirs={log_dirs}
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=LOCAL://127.0.0.1:{local},CONTROLLER://127.0.0.1:{controller}
listener.security.protocol.map=LOCAL:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=LOCAL
controller.listener.names=CONTROLLER
offsets.topic.replication.factor=1
"""

Result = dict[str, Any]


@dataclass
class Node:
    """A node of one cluster, with its log directories."""

    root: Path
    class_path: str
    log_dirs: list[Path]
    ports: list[int]

    @property
    def manifest(self) -> Path:
        return self.root / "identity.json"

    @property
    def properties(self) -> Path:
        return self.root / "server.properties"

    def launch(self, **options: Any) -> subprocess.Popen[str]:
        """Start the module as Ansible does, for the log directories of now."""
        log_dirs = [str(path) for path in self.log_dirs]
        for path in self.log_dirs:
            path.mkdir(exist_ok=True)
        local, controller = self.ports
        text = PROPERTIES.format(log_dirs=",".join(log_dirs), local=local, controller=controller)
        self.properties.write_text(text + options.pop("more", ""))
        arguments = {
            "log_dirs": log_dirs,
            "node_id": 1,
            "manifest": str(self.manifest),
            "config": str(self.properties),
            "libs": str(Path(self.class_path).parent),
            "user": "root",
            **options,
        }
        process = subprocess.Popen(
            [sys.executable, "-c", RUNNER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{COLLECTIONS}"},
        )
        assert process.stdin is not None
        process.stdin.write(json.dumps(arguments))
        process.stdin.close()
        process.stdin = None
        return process

    def finish(self, process: subprocess.Popen[str]) -> Result:
        out, err = process.communicate(timeout=SECONDS)
        assert "Traceback" not in out + err, out + err
        return json.loads(out)

    def run(self, **options: Any) -> Result:
        return self.finish(self.launch(**options))

    def meta_properties(self, number: int = 0) -> dict[str, str]:
        lines = (self.log_dirs[number] / "meta.properties").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if not line.startswith("#"))

    def jvms(self) -> list[int]:
        """The StorageTools that format this node."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().split(b"\0")
            except OSError:
                continue
            if words[0] == b"java" and f"--config={self.properties}".encode() in words:
                found.append(int(path.parent.name))
        return found

    def serves_its_cluster(self) -> str:
        """Start the broker; returns the cluster id that it tells its clients."""
        log = self.root / "broker.log"
        with log.open("wb") as output:
            command = java(self.class_path, "kafka.Kafka", str(self.properties))
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                assert process.poll() is None, log.read_text()[-3000:]
                described = describe(self.ports[0])
                if described.get("brokers"):
                    return described["cluster_id"]
                time.sleep(0.2)
        finally:
            stop(process)
        pytest.fail(f"no broker within {SECONDS} s: {log.read_text()[-3000:]}")


def describe(port: int) -> Result:
    try:
        client = KafkaAdminClient(
            bootstrap_servers=[f"127.0.0.1:{port}"], request_timeout_ms=2000, bootstrap_timeout_ms=2000
        )
    except Exception:  # whatever a client raises about a broker that does not serve yet
        return {}
    try:
        return client.describe_cluster()
    finally:
        client.close()


def new_node(root: Path, class_path: str) -> Node:
    root.mkdir(exist_ok=True)
    return Node(root, class_path, [root / "a"], free_ports(2))


@pytest.fixture
def node(tmp_path: Path, class_path: str) -> Node:
    return new_node(tmp_path, class_path)


def times(directory: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in directory.rglob("*")}


def kill_at_the_first_file(node: Node) -> Result:
    """Start a format and kill its JVM once it has written anything; returns what the module said."""
    process = node.launch()
    jvms: list[int] = []
    while process.poll() is None and not jvms:
        jvms = node.jvms()
    while process.poll() is None and not any(node.log_dirs[0].iterdir()):
        pass
    for pid in jvms:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            break
    return node.finish(process)


def test_a_node_is_formatted_once_and_a_second_run_starts_no_jvm_and_touches_nothing(node: Node) -> None:
    first = node.run()
    assert first["changed"]
    assert node.meta_properties()["cluster.id"] == first["cluster_id"]
    assert node.meta_properties()["node.id"] == "1"
    before = times(node.root / "a")
    second = node.run(libs="/nonexistent")
    assert not second["changed"]
    assert second["cluster_id"] == first["cluster_id"]
    assert times(node.root / "a") == before


def test_a_format_that_was_killed_is_resumed_with_the_same_identity_and_a_broker_starts(
    tmp_path: Path, class_path: str
) -> None:
    for attempt in range(ATTEMPTS):
        node = new_node(tmp_path / str(attempt), class_path)
        failed = kill_at_the_first_file(node)
        left = sorted(path.name for path in node.log_dirs[0].iterdir())
        if left and "meta.properties" not in left:
            break
    else:
        pytest.fail(f"the JVM was never killed between its first file and its last, {ATTEMPTS} times")
    assert "it resumes with the same cluster id" in failed["msg"]
    cluster_id = json.loads(node.manifest.read_text())["cluster_id"]

    resumed = node.run()
    assert resumed["changed"]
    assert resumed["cluster_id"] == cluster_id
    assert node.meta_properties()["cluster.id"] == cluster_id
    assert list((node.log_dirs[0] / "__cluster_metadata-0").glob("*.checkpoint"))
    assert not node.run()["changed"]
    assert node.serves_its_cluster() == cluster_id


def test_half_written_files_of_every_step_of_a_format_do_not_stop_the_next_one(tmp_path: Path, class_path: str) -> None:
    """The files in the order in which StorageTool 4.1.1 makes them, as strace(1) shows it."""
    steps = [
        "bootstrap.checkpoint.tmp",
        "bootstrap.checkpoint",
        "__cluster_metadata-0/00000000000000000000-0000000000-8019757252957456798.checkpoint.part",
        "__cluster_metadata-0/00000000000000000000-0000000000.checkpoint",
        "meta.properties.tmp",
    ]
    node = new_node(tmp_path, class_path)
    cluster_id = node.run()["cluster_id"]
    (node.log_dirs[0] / "meta.properties").unlink()
    # A directory is noted as formatted only after all of this.
    node.manifest.write_text(json.dumps({**json.loads(node.manifest.read_text()), "log_dirs": []}))
    for name in steps:
        path = node.log_dirs[0] / name
        path.unlink(missing_ok=True)
        path.write_bytes(b"half")
    resumed = node.run()
    assert resumed["changed"]
    assert resumed["cluster_id"] == cluster_id
    assert node.serves_its_cluster() == cluster_id


def test_a_second_log_directory_joins_and_the_first_is_left_alone(node: Node) -> None:
    cluster_id = node.run()["cluster_id"]
    before = times(node.root / "a")
    node.log_dirs.append(node.root / "b")
    result = node.run()
    assert result["formatted"] == [str(node.root / "b")]
    assert node.meta_properties(1)["cluster.id"] == cluster_id
    assert times(node.root / "a") == before
    assert not (node.root / "b" / "__cluster_metadata-0").exists()
    assert node.serves_its_cluster() == cluster_id


def test_a_node_that_joins_has_no_voters_of_its_own_whatever_an_interrupted_format_left(node: Node) -> None:
    """The founder's snapshot names itself as the only voter: with it this node would lead a cluster of the same id."""
    node.run()
    voters = node.log_dirs[0] / "__cluster_metadata-0" / "00000000000000000000-0000000000.checkpoint"
    assert voters.exists()
    (node.log_dirs[0] / "meta.properties").unlink()
    node.manifest.write_text(json.dumps({**json.loads(node.manifest.read_text()), "log_dirs": []}))
    joins = node.run(founds=False)
    assert joins["formatted"] == [str(node.log_dirs[0])]
    assert joins["directory_id"] == node.meta_properties()["directory.id"]
    assert not voters.exists()


def test_a_log_directory_put_before_the_one_with_the_metadata_is_refused_and_stays_empty(node: Node) -> None:
    node.run()
    before = times(node.root / "a")
    node.log_dirs.insert(0, node.root / "b")
    result = node.run()
    assert result["failed"]
    assert f"Put {node.root / 'a'} first" in result["msg"]
    assert times(node.root / "a") == before
    assert list((node.root / "b").iterdir()) == []


def test_a_configuration_that_kafka_refuses_is_said_in_its_words(node: Node) -> None:
    failed = node.run(more="num.partitions=many\n")
    assert failed["failed"]
    assert "Invalid value many for configuration num.partitions" in failed["msg"]
    assert list(node.log_dirs[0].iterdir()) == []
    assert node.run()["cluster_id"] == json.loads(node.manifest.read_text())["cluster_id"]
