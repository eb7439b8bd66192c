"""`kafka topics --list` and the same by Kafka's own script."""

from __future__ import annotations

from tests.hosts import host

from .pi import CLASS_PATH, JVM, alternate
from .table import Row, table

ROUNDS = 11
INSIDE = """
import json, os, subprocess, sys, time

began = time.monotonic()
process = subprocess.Popen(["sh", "-c", sys.argv[1]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
_pid, status, used = os.wait4(process.pid, 0)
assert status == 0, sys.argv[1]
wall = time.monotonic() - began
print(json.dumps({"wall": wall, "cpu": used.ru_utime + used.ru_stime, "rss": used.ru_maxrss / 1024}))
"""
STOCK = f"exec /usr/bin/java -Xmx256M {JVM} -Dlog4j2.level=ERROR {CLASS_PATH} org.apache.kafka.tools.TopicCommand"


def main(pi: host.Host) -> str:
    stock = f"{STOCK} --bootstrap-server 127.0.0.1:19092 --list"
    ours, other = alternate(pi, INSIDE, ROUNDS, ["exec kafka topics --list"], [stock])

    def row(what: str, key: str, target: float | None = None) -> Row:
        return Row(what, [one[key] for one in ours], [one[key] for one in other], target)

    rows = [row("CPU time, s", "cpu", 0.45), row("until it ends, s", "wall"), row("RSS, MiB", "rss")]
    notes = f"Medians of {ROUNDS} rounds, one after the other. Stock is kafka-run-class.sh's JVM without its shell."
    return table("kafka topics --list", rows, notes)
