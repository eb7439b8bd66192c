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
    """One measure of both; `target` is what ours may be at most, as a part of stock."""

    what: str
    ours: Sequence[float]
    stock: Sequence[float]
    target: float | None = None

    def cells(self) -> list[str]:
        ours, stock = statistics.median(self.ours), statistics.median(self.stock)
        ratio = ours / stock if stock else float("nan")
        wanted = "" if self.target is None else f"<= {self.target:.2f}{'' if ratio <= self.target else '  MISSED'}"
        return [self.what, f"{ours:.4g}", f"{stock:.4g}", f"{ratio:.2f}", wanted]


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
    facts = Path("/proc/cpuinfo").read_text()
    cpu = next((line.partition(": ")[2] for line in facts.splitlines() if line.startswith("model name")), "")
    memory = int(Path("/proc/meminfo").read_text().split()[1]) >> 20
    java = ". $(readlink -f /usr/bin/java | sed s,/bin/java,,)/release && echo $JAVA_RUNTIME_VERSION"
    inside = engine.docker("exec", container, "sh", "-c", java, what="cannot ask for the version of Java")
    release = engine.docker("exec", container, "readlink", "/opt/kafka/current", what="cannot ask for the release")
    load = Path("/proc/loadavg").read_text().split()[0]
    return (
        f"{cpu or platform.machine()}, {os.cpu_count()} CPUs, {memory} GiB, Linux {platform.release()}\n"
        f"Java {inside}, Kafka {release.rpartition('/')[2]}; load {load}"
    )
