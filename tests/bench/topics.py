"""One task for 100 topics that are as declared, and a call of Kafka's own tool for each."""

from __future__ import annotations

import json

from tests.hosts import cache, host
from tests.hosts.play import inventory
from tests.hosts.step import run

from .pi import root, wall
from .table import Row, table
from .tools import STOCK

TOPICS = 100
CALLS = 5
ROUNDS = 3


def task(name: str, state: str) -> list[str]:
    """The module as Ansible runs it, with all of Ansible's own time."""
    declared = [{"name": f"bench-{number}", "partitions": 1, "state": state} for number in range(TOPICS)]
    arguments = json.dumps({"bootstrap_servers": ["127.0.0.1:19092"], "topics": declared})
    options = ["--become", "-m", "raspi.kafka.kafka_topics", "-a", arguments]
    return [str(cache.directory("venv") / "bin" / "ansible"), "pis", "-i", str(inventory(name)), *options]


def calls(pi: host.Host) -> list[str]:
    """Some of the calls of the other way, in one go on the Pi itself."""
    each = f"{STOCK.removeprefix('exec ')} --bootstrap-server 127.0.0.1:19092 --create --if-not-exists --partitions 1"
    loop = "; ".join(f"{each} --topic bench-{number}" for number in range(CALLS))
    return ["docker", "exec", pi.container, "sh", "-ec", loop]


def main(pi: host.Host) -> str:
    name = pi.container.rpartition("-")[0]
    root(pi, "systemctl start kafka")
    run(task(name, "present"), "cannot create the topics", "run it by hand")
    try:
        pairs = [
            (wall(task(name, "present"), "the task failed"), wall(calls(pi), "a call failed") * TOPICS / CALLS)
            for _round in range(ROUNDS)
        ]
    finally:
        run(task(name, "absent"), "cannot delete the topics", "run it by hand")
    ours, other = zip(*pairs, strict=True)
    notes = (
        "Ours: `ansible -m kafka_topics` from start to end. Stock: kafka-topics.sh --create --if-not-exists,\n"
        f"on the Pi itself; {CALLS} calls were measured, times {TOPICS // CALLS}. Medians of {ROUNDS} rounds."
    )
    return table(f"{TOPICS} topics already in place", [Row("until done, s", ours, other, 0.05)], notes)
