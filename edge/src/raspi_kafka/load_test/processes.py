"""What processes cost: CPU time, memory and written bytes, sampled from /proc (proc(5))."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

INTERVAL_S = 1.0
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

Sample = tuple[int, float, int, int | None]


class Cost(NamedTuple):
    """What a process has used since it began.

    :ivar rss: bytes that are resident now.
    :ivar written: bytes that it made go to a disk; None where it is not ours to know.
    """

    cpu_s: float
    rss: int
    written: int | None

    def __add__(self, other: Cost) -> Cost:  # type: ignore[override]
        known = self.written is not None and other.written is not None
        return Cost(self.cpu_s + other.cpu_s, self.rss + other.rss, self.written + other.written if known else None)


NOTHING = Cost(0.0, 0, 0)


def cost(pid: int) -> Cost | None:
    """Return what a process and its children use; None if there is none."""
    found = cost_alone(pid)
    return found and sum(filter(None, map(cost_alone, children(pid))), start=found)


def children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()]
    except OSError:
        return []


def cost_alone(pid: int) -> Cost | None:
    """Return what a process uses without the children that run; those that ended count as itself."""
    try:
        # The name, in parentheses, may have anything in it.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return Cost(sum(map(int, fields[11:15])) * TICK_S, int(fields[21]) * PAGE_BYTES, written(pid))


def written(pid: int) -> int | None:
    """Return the bytes that a process made go to a disk; None where it is not ours to know."""
    try:
        lines = Path(f"/proc/{pid}/io").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("write_bytes:")), None)


def pid_of_unit(unit: str) -> int:
    """Return the main process of a service of systemd; 0 while it has none."""
    command = ["systemctl", "show", "--property=MainPID", "--value", unit]
    told = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False).stdout.strip()
    return int(told) if told.isdecimal() else 0


class Watched:
    """One process, or one after the other under the same name: what earlier ones used is added."""

    def __init__(self, pid: Callable[[], int]) -> None:
        self._find = pid
        self._pid = 0
        self._before = self._last = NOTHING
        self.samples: list[Sample] = []

    def sample(self) -> None:
        """Look once."""
        found = cost(self._pid) if self._pid else None
        if found is None:
            self._before = (self._before + self._last)._replace(rss=0)
            self._last = NOTHING
            self._pid = self._find()
            found = cost(self._pid) if self._pid else None
        if found is None:
            return
        self._last = found
        all_of_them = self._before + found
        now = time.time_ns() // 1_000_000
        self.samples.append((now, round(all_of_them.cpu_s, 3), all_of_them.rss, all_of_them.written))


class Sampler:
    """Looks at all of its processes each second, in a thread of its own."""

    def __init__(self, processes: dict[str, Callable[[], int]]) -> None:
        self._watched = {name: Watched(pid) for name, pid in processes.items()}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def samples(self) -> dict[str, list[Sample]]:
        """Name -> milliseconds since 1970, CPU seconds, resident and written bytes."""
        return {name: each.samples for name, each in self._watched.items() if each.samples}

    def _live(self) -> None:
        while True:
            for each in self._watched.values():
                each.sample()
            if self._over.wait(INTERVAL_S):
                break
