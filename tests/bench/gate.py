"""May a node of a cluster be restarted, and has it come back well? By our module, and by Kafka's own tools."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.e2e.quorum import Nodes
from tests.e2e.test_modules import RUNNER
from tests.hosts import archive
from tests.hosts.step import Failure, step

from .pi import JVM
from .table import Row, table

ROUNDS = 3
TOPICS = {f"bench-{number}": {"num_partitions": 3, "replication_factor": 3} for number in range(10)}
QUORUM = "org.apache.kafka.tools.MetadataQuorumCommand {server} describe --status"
TOPIC = "org.apache.kafka.tools.TopicCommand {server} --describe"
# What the role kafka of pgsty/pigsty asks before it restarts a node; afterwards it asks all that and for the brokers.
BEFORE = [
    QUORUM,
    f"{TOPIC} --unavailable-partitions",
    f"{TOPIC} --under-replicated-partitions",
    f"{TOPIC} --under-min-isr-partitions",
    TOPIC,
    "kafka.admin.ConfigCommand {server} --entity-type brokers --entity-default --describe",
]
AFTER = [*BEFORE, "org.apache.kafka.tools.BrokerApiVersionsCommand {server}"]


class Cost(NamedTuple):
    """What a gate took: seconds, seconds of CPU, and JVMs."""

    wall: float
    cpu: float
    jvms: int


class Bench(NamedTuple):
    """A cluster, and a java at the front of PATH that leaves a line for each start."""

    nodes: Nodes
    java: Path

    def started(self) -> int:
        return len(self.java.with_name("starts").read_text().splitlines())

    def measure(self, commands: list[list[str]], stdin: str = "") -> Cost:
        """Run some commands one after another."""
        began, before, jvms = time.monotonic(), os.times(), self.started()
        for command in commands:
            environment = {**os.environ, "PATH": f"{self.java.parent}{os.pathsep}{os.environ['PATH']}"}
            done = subprocess.run(
                command, input=stdin, capture_output=True, text=True, timeout=120, env=environment, check=False
            )
            if done.returncode:
                told = (done.stdout + done.stderr)[-500:]
                raise Failure(f"cannot run {shlex.join(command)[:200]}", told, "run it by hand")
        after = os.times()
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        return Cost(time.monotonic() - began, cpu, self.started() - jvms)

    def module(self, node: int) -> Cost:
        """Before and after: it asks everything each time."""
        options = {"bootstrap_servers": self.others(node), "node_id": node}
        return self.measure(2 * [[sys.executable, "-c", RUNNER, "cluster_health"]], json.dumps(options))

    def tools(self, node: int) -> Cost:
        """As kafka-run-class.sh starts each tool; its shell is left out, in its favour."""
        server = f"--bootstrap-server {','.join(self.others(node))}"
        start = ["java", "-Xmx256M", *JVM.split(), "-Dlog4j2.level=ERROR", "-cp", self.nodes.class_path]
        return self.measure([[*start, *call.format(server=server).split()] for call in BEFORE + AFTER])

    def others(self, node: int) -> list[str]:
        return [self.nodes.server(other) for other in self.nodes.ids if other != node]


@contextlib.contextmanager
def ready() -> Iterator[Bench]:
    """Three nodes on this machine, each broker and controller in one."""
    with tempfile.TemporaryDirectory(prefix="raspi-kafka-bench-") as folder:
        root = Path(folder)
        shutil.unpack_archive(archive.build().path, root / "release")
        java = root / "bin" / "java"
        java.parent.mkdir()
        java.with_name("starts").touch()
        java.write_text(f'#!/bin/sh\necho >> {java.with_name("starts")}\nexec {shutil.which("java")} "$@"\n')
        java.chmod(0o755)
        (libs,) = (root / "release").glob("*/libs")
        with Nodes(root, f"{libs}/*", all_voters=True) as nodes:
            with step("start three nodes"):
                nodes.serve(TOPICS)
            yield Bench(nodes, java)


def main() -> str:
    with ready() as bench:
        pairs = [(bench.module(node), bench.tools(node)) for _round in range(ROUNDS) for node in bench.nodes.ids]
    ours, stock = zip(*pairs, strict=True)
    rows = [
        Row("until done, s", [one.wall for one in ours], [one.wall for one in stock], 0.25),
        Row("CPU time, s", [one.cpu for one in ours], [one.cpu for one in stock], 0.25),
        Row("JVMs started", [one.jvms for one in ours], [one.jvms for one in stock], 0),
    ]
    notes = (
        "Of one node, before and after its restart: cluster_health twice, without Ansible's own time, and the\n"
        f"{len(BEFORE)} + {len(AFTER)} calls of Kafka's tools that the role kafka of pgsty/pigsty makes. "
        f"Medians of {ROUNDS} rounds over\n3 nodes on this machine with {len(TOPICS)} topics, one after the other."
    )
    return table("The gate of a node in a cluster of three", rows, notes)
