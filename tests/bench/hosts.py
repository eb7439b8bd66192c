"""A first and a second run of site.yml on 1, 3 and 5 bare hosts: does the time grow with their number?"""

from __future__ import annotations

import resource
from pathlib import Path

from tests.hosts import engine, host, inventory

from .pi import deploy

SET = "benchhosts"
COUNTS = (1, 3, 5)
# So that five hosts and Ansible do not share two CPUs: each has the same one to itself, a slow one.
CPUS = "0.25"
IDLE = slice(3, 5)  # idle and waiting for a disk, of the fields that proc_stat(5) gives a CPU


def main() -> str:
    rows = [measure(count) for count in COUNTS]
    return "\n".join(
        [
            "site.yml on several hosts that are one cluster",
            "  hosts  run     until done, s  CPUs busy  CPU time of Ansible, s",
            *(row for pair in rows for row in pair),
            f"  Each host may use {CPUS} of a CPU, whatever the others do; Ansible has the rest of this machine's.\n",
        ]
    )


def measure(count: int) -> list[str]:
    """Return the rows of a first and a second run."""
    with host.fresh(SET, count, example=inventory.CLUSTER, kafka_only=True) as hosts:
        for pi in hosts:
            engine.docker("update", "--cpus", CPUS, pi.container, what=f"cannot limit {pi.container}")
        return [row(count, run) for run in ("first", "second")]


def row(count: int, run: str) -> str:
    """Run site.yml once."""
    before, ansible = ticks(), children()
    _done, seconds = deploy(SET)
    idle, everything = (now - then for now, then in zip(ticks(), before, strict=True))
    return f"  {count:>5}  {run:<6}  {seconds:>13.1f}  {1 - idle / everything:>9.0%}  {children() - ansible:>22.1f}"


def ticks() -> tuple[int, int]:
    """Return the clock ticks that this machine's CPUs were idle, and all."""
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    return sum(fields[IDLE]), sum(fields[:8])


def children() -> float:
    """Return the seconds of CPU time of this process's children that have ended: Ansible's, not those of containers."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
