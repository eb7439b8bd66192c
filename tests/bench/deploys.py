"""A first and a second run of site.yml: how long they take, which JVMs they start, and what the second changes."""

from __future__ import annotations

import statistics

from tests.hosts import host
from tests.hosts.jvms import executed, jvms
from tests.hosts.play import Run
from tests.hosts.step import step

from .pi import deploy, root

ROUNDS = 3
BARE = "benchbare"
JAVA = "DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends openjdk-17-jre-headless"


def tasks(run: Run) -> str:
    ran, skipped = run.count("pi1", "ok"), run.count("pi1", "skipped")
    return f"{ran + skipped} tasks of which {ran} ran, changed={run.count('pi1', 'changed')}"


def first() -> str:
    """On a bare stand-in of its own. The scripts of Debian's Java package start JVMs too, so it is installed before."""
    host.up(BARE)
    try:
        (pi,) = host.find(BARE)
        with step("install Java"), executed(pi.container) as of_packages:
            root(pi, f"apt-get update -q && {JAVA}")
        with executed(pi.container) as programs:
            run, seconds = deploy(BARE)
    finally:
        host.down(BARE)
    return (
        "First run of site.yml\n"
        f"  {seconds:.1f} s without Java's installation, {tasks(run)}\n"
        f"  {jvms(programs)} JVMs: format 1, archives of classes 3 (format, broker, tool), broker 1;\n"
        f"  before it {jvms(of_packages)} by the scripts of Debian's Java package\n"
    )


def main(pi: host.Host) -> str:
    name = pi.container.rpartition("-")[0]
    root(pi, "systemctl start kafka")
    deploy(name)
    before = root(pi, "systemctl show kafka --property MainPID --value")
    with executed(pi.container) as programs:
        runs = [deploy(name) for _round in range(ROUNDS)]
    restarts = int(root(pi, "systemctl show kafka --property MainPID --value") != before)
    most = max((run for run, _seconds in runs), key=lambda run: run.count("pi1", "changed"))
    seconds = statistics.median(seconds for _run, seconds in runs)
    return (
        f"{first()}\n"
        "Second run of site.yml\n"
        f"  {seconds:.1f} s (median of {ROUNDS}), {tasks(most)}\n"
        f"  {jvms(programs)} JVMs and {restarts} restarts in all of them\n"
    )
