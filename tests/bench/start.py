"""From `systemctl start` until the broker answers for metadata: our unit and Kafka's own script."""

from __future__ import annotations

from tests.hosts import host

from . import stock
from .pi import alternate
from .table import Row, table

ROUNDS = 7
INSIDE = """
import json, os, pathlib, subprocess, sys, time
sys.path.insert(0, "/opt/raspi-kafka/libexec")
from wait_ready import READY, Address, probe

unit, port = sys.argv[1:]
began = time.monotonic()
subprocess.run(["systemctl", "start", "--no-block", unit], check=True)
while probe(Address("127.0.0.1", int(port)), 1, []) != READY:
    assert time.monotonic() - began < 300, unit
    time.sleep(0.02)
wall = time.monotonic() - began
show = ["systemctl", "show", unit, "--property", "MainPID", "--value"]
process = pathlib.Path("/proc", subprocess.check_output(show, text=True).strip())
fields = (process / "stat").read_text().rpartition(")")[2].split()
status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
subprocess.run(["systemctl", "stop", unit], check=True)
cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
print(json.dumps({"wall": wall, "cpu": cpu, "rss": int(status["VmRSS"].split()[0]) / 1024}))
"""


def main(pi: host.Host) -> str:
    with stock.installed(pi):
        ours, other = alternate(pi, INSIDE, ROUNDS, ["kafka.service", "19092"], [stock.UNIT, str(stock.PORT)])

    def row(what: str, key: str, target: float | None = None) -> Row:
        return Row(what, [one[key] for one in ours], [one[key] for one in other], target)

    rows = [
        row("until it answers, s", "wall", 0.70),
        row("CPU time until then, s", "cpu"),
        row("RSS then, MiB", "rss", 1.0),
    ]
    return table("Start of a broker", rows, f"Medians of {ROUNDS} rounds, one after the other.")
