"""A second run of site.yml: what it takes, and that it leaves everything as it is."""

from __future__ import annotations

import statistics
import time

from tests.hosts import host
from tests.hosts.jvms import executed, jvms
from tests.hosts.play import playbook

from .pi import root

ROUNDS = 3


def main(pi: host.Host) -> str:
    name = pi.container.rpartition("-")[0]
    root(pi, "systemctl start kafka")
    playbook(name)
    before = root(pi, "systemctl show kafka --property MainPID --value")
    seconds = []
    with executed(pi.container) as programs:
        for _round in range(ROUNDS):
            began = time.monotonic()
            run = playbook(name)
            seconds.append(time.monotonic() - began)
    restarts = int(root(pi, "systemctl show kafka --property MainPID --value") != before)
    ran, skipped = run.count("pi1", "ok"), run.count("pi1", "skipped")
    return (
        "Second run of site.yml\n"
        f"  {statistics.median(seconds):.1f} s (median of {ROUNDS}), {ran + skipped} tasks of which {ran} ran,\n"
        f"  changed={run.count('pi1', 'changed')}, {jvms(programs)} JVMs, {restarts} restarts\n"
    )
