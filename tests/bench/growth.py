"""What a growing cluster copies, against the least that has to be copied."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from kafka import KafkaProducer

from tests.e2e.quorum import Nodes
from tests.e2e.test_modules import RUNNER
from tests.hosts import archive
from tests.hosts.step import Failure, step

MIB = 1048576
# Topic -> its partitions, each with so many MiB; all of them on node 1.
TOPICS = {"telemetry": [8, 8, 8, 8], "events": [4], "alerts": [2], "audit": [1, 3, 6]}
THROTTLE = 200 * MIB


class Grown(NamedTuple):
    """A growth: MiB that had to be copied, those that the copies have, and what the new brokers' processes wrote."""

    name: str
    least: float
    copied: float
    written: float
    seconds: float

    def __str__(self) -> str:
        return (
            f"  {self.name:<10} {self.least:10.1f} {self.copied:10.1f} {self.written:10.1f} "
            f"{self.copied / self.least:7.3f} {self.seconds:10.1f}"
        )


def module(nodes: Nodes, brokers: list[int]) -> dict[str, Any]:
    """Run kafka_replicas until it is done, as its action plugin does."""
    options = {
        "bootstrap_servers": [nodes.server(1)],
        "topics": [{"name": name} for name in TOPICS],
        "replication_factor": 3,
        "brokers": brokers,
        "throttle": THROTTLE,
    }
    while True:
        done = subprocess.run(
            [sys.executable, "-c", RUNNER, "kafka_replicas"],
            input=json.dumps(options),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        result = json.loads(done.stdout or "{}")
        if done.returncode:
            raise Failure("cannot run kafka_replicas", str(result.get("msg", done.stderr[-500:])), "run it by hand")
        if result["done"]:
            return result


def written(nodes: Nodes, brokers: list[int]) -> int:
    """Bytes that the processes of some brokers have written, to files and to sockets."""
    lines = [Path(f"/proc/{nodes.processes[broker].pid}/io").read_text().splitlines() for broker in brokers]
    return sum(int(line.split()[1]) for its in lines for line in its if line.startswith("wchar"))


def grow(nodes: Nodes, name: str, brokers: list[int], new: list[int]) -> Grown:
    before, began = written(nodes, new), time.monotonic()
    result = module(nodes, brokers)
    seconds = time.monotonic() - began
    told = result["bytes"]
    return Grown(name, told["least"] / MIB, told["copied"] / MIB, (written(nodes, new) - before) / MIB, seconds)


def fill(nodes: Nodes) -> None:
    """Records that do not compress."""
    with nodes.admin(1) as admin:
        admin.create_topics(
            {name: {"assignments": {number: [1] for number in range(len(its))}} for name, its in TOPICS.items()},
            wait_for_metadata=True,
        )
    producer = KafkaProducer(bootstrap_servers=[nodes.server(1)], acks="all", batch_size=MIB)
    for name, its in TOPICS.items():
        for number, mebibytes in enumerate(its):
            for _half in range(2 * mebibytes):
                producer.send(name, os.urandom(MIB // 2), partition=number)
    producer.flush(60)
    producer.close()


def main() -> str:
    with tempfile.TemporaryDirectory(prefix="raspi-kafka-bench-") as folder:
        shutil.unpack_archive(archive.build().path, Path(folder) / "release")
        (libs,) = Path(folder).glob("release/*/libs")
        with Nodes(Path(folder), f"{libs}/*", count=4) as nodes:
            with step("start three nodes"):
                nodes.start(1, 2, 3)
                nodes.wait_until_serving(1, 2, 3)
            fill(nodes)
            grown = [grow(nodes, "1 to 3", [1, 2, 3], [2, 3])]
            with step("start a fourth"):
                nodes.start(4)
                nodes.wait_until_serving(4)
            grown.append(grow(nodes, "3 to 4", [1, 2, 3, 4], [4]))
    head = f"  {'brokers':<10} {'least, MiB':>10} {'copied':>10} {'written':>10} {'ratio':>7} {'seconds':>10}"
    notes = (
        "  Least: what a brute force finds too, see test_replica_plan.py. Copied: the size of the copies on disk\n"
        "  in the end. Written: all that the processes of the new brokers wrote meanwhile, to files and sockets.\n"
        "  Ratio: copied to least; wanted is 1.0."
    )
    return "\n".join(["What a growing cluster copies", head, *map(str, grown), notes, ""])
