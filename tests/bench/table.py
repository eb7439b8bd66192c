"""What a bench found, side by side."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.hosts import engine


class Row(NamedTuple):
    """One measure of both; stock may be absent.

    :ivar target: what ours may be at most, as a part of stock.
    :ivar least: what ours has to be at least, as a multiple of stock.
    :ivar limit: what ours may be at most, whatever stock is.
    """

    what: str
    ours: Sequence[float]
    stock: Sequence[float]
    target: float | None = None
    least: float | None = None
    limit: float | None = None

    def cells(self) -> list[str]:
        ours = statistics.median(self.ours)
        stock = statistics.median(self.stock) if self.stock else None
        ratio = ours / stock if stock else float("nan")
        beside = ["-" if stock is None else f"{stock:.4g}", f"{ratio:.2f}" if stock else "-"]
        return [self.what, f"{ours:.4g}", *beside, self._wanted(ours, ratio)]

    def _wanted(self, ours: float, ratio: float) -> str:
        targets = []
        if self.target is not None and self.stock:
            targets.append((f"<= {self.target:.2f}", ratio <= self.target))
        if self.least is not None and self.stock:
            targets.append((f">= {self.least:.2f}", ratio >= self.least))
        if self.limit is not None:
            targets.append((f"ours <= {self.limit:g}", ours <= self.limit))
        missed = not all(held for _text, held in targets)
        return ", ".join(text for text, _held in targets) + "  MISSED" * missed


def table(title: str, rows: list[Row], notes: str) -> str:
    """Columns of one width each, and below them how it was measured."""
    lines = [["", "ours", "stock", "ratio", "target"], *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    aligned = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    ]
    return "\n".join([title, *(f"  {line}" for line in aligned), *(f"  {line}" for line in notes.splitlines()), ""])


def machine(container: str) -> str:
    """What was measured on."""
    java = ". $(readlink -f /usr/bin/java | sed s,/bin/java,,)/release && echo $JAVA_RUNTIME_VERSION"
    inside = engine.docker("exec", container, "sh", "-c", java, what="cannot ask for the version of Java")
    release = engine.docker("exec", container, "readlink", "/opt/kafka/current", what="cannot ask for the release")
    return f"{computer()}\nJava {inside}, Kafka {release.rpartition('/')[2]}; load {load()}"


def computer() -> str:
    """The machine itself."""
    facts = Path("/proc/cpuinfo").read_text()
    cpu = next((line.partition(": ")[2] for line in facts.splitlines() if line.startswith("model name")), "")
    memory = int(Path("/proc/meminfo").read_text().split()[1]) >> 20
    return f"{cpu or platform.machine()}, {os.cpu_count()} CPUs, {memory} GiB, Linux {platform.release()}"


def load() -> str:
    """How many processes have wanted a CPU at once, over the last minute."""
    return Path("/proc/loadavg").read_text().split()[0]
