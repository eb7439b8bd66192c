"""What a broker that nobody uses writes to the disk in a minute: our settings and Kafka's own."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

from tests.hosts import host, package
from tests.hosts.step import Failure, step

from . import stock
from .pi import root
from .table import Row, table

SETTLE_SECONDS = 45
SECONDS = 120


def process_of(pi: host.Host, unit: str) -> int:
    """The unit's process as this machine numbers it."""
    inside = root(pi, f"systemctl show {unit} --property MainPID --value")
    space = os.readlink(f"/proc/{root_process(pi)}/ns/pid")
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            match = re.search(r"^NSpid:.*\t(\d+)$", status.read_text(), re.MULTILINE)
            if match and match[1] == inside and os.readlink(status.parent / "ns" / "pid") == space:
                return int(status.parent.name)
        except OSError:
            continue
    raise Failure(f"cannot find the process of {unit}", "it does not run", "look at its journal")


def root_process(pi: host.Host) -> str:
    return subprocess.check_output(["docker", "inspect", "--format", "{{.State.Pid}}", pi.container], text=True).strip()


def written(pid: int) -> int:
    """Bytes that a process has had written to a disk (proc(5): write_bytes)."""
    return int(re.search(r"^write_bytes: (\d+)", Path(f"/proc/{pid}/io").read_text(), re.MULTILINE)[1])


def minute(pi: host.Host, unit: str) -> tuple[float, float]:
    """Bytes written, and how often it was waited for the disk, in a minute."""
    root(pi, f"systemctl start {unit}")
    with step(f"{unit} idles for {SETTLE_SECONDS} + {SECONDS} s"):
        time.sleep(SETTLE_SECONDS)
        pid = process_of(pi, unit)
        before = written(pid)
        strace = ["strace", "-f", "-qq", "-c", "-e", "trace=fsync,fdatasync,msync,sync_file_range", "-p", str(pid)]
        counted = subprocess.run(
            ["timeout", "--signal=INT", str(SECONDS), *strace], capture_output=True, text=True, timeout=600, check=False
        )
        amount = written(pid) - before
    root(pi, f"systemctl stop {unit}")
    calls = re.findall(r"^ *[\d.]+ +[\d.]+ +\d+ +(\d+) .*(?:sync|sync_file_range)$", counted.stderr, re.MULTILINE)
    if not calls:
        raise Failure(f"cannot count the calls of {unit}", counted.stderr[-300:], "run as root on the engine's machine")
    return amount * 60 / SECONDS, sum(map(int, calls)) * 60 / SECONDS


def main(pi: host.Host) -> str:
    package.ensure({"strace": "strace"})
    with stock.installed(pi):
        ours, other = minute(pi, "kafka.service"), minute(pi, stock.UNIT)
    rows = [
        Row("bytes written a minute", [ours[0]], [other[0]], 0.25),
        Row("fsync, fdatasync, msync a minute", [ours[1]], [other[1]], 0.25),
    ]
    notes = f"Over {SECONDS} s, after {SETTLE_SECONDS} s of rest; ours has its topics, stock has none."
    return table("An idle broker", rows, notes)
