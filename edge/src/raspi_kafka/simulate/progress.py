"""How far a run is, on stderr."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

try:
    from rich.console import Console, Group
    from rich.live import Live
    from rich.progress_bar import ProgressBar
except ImportError:
    Live = None

from .fleet import Snapshot

if TYPE_CHECKING:
    from .options import Options
    from .worker import Beginning

Show = Callable[[Sequence[Snapshot]], None]
LINE_EVERY_S = 5.0
BAR_WIDTH = 60


@contextlib.contextmanager
def shown(wanted: Options, beginning: Beginning) -> Iterator[Show]:
    """Give a function that shows snapshots of all workers: as a bar on a terminal, as lines anywhere else."""
    if Live is None or not sys.stderr.isatty():
        yield lines(beginning)
        return
    total_s = wanted.ramp_s + wanted.hold_s
    with Live(console=Console(stderr=True), auto_refresh=False) as live:

        def show(snapshots: Sequence[Snapshot]) -> None:
            passed_s = max(0.0, time.monotonic() - beginning.monotonic_s)
            head = f"{phase(wanted, passed_s)}, {passed_s:.0f} of {total_s:.0f} s"
            course = ProgressBar(total_s, min(passed_s, total_s), width=BAR_WIDTH)
            live.update(Group(head, course, text(snapshots)), refresh=True)

        yield show


def lines(beginning: Beginning) -> Show:
    """Return a function that prints a line now and then."""
    next_s = LINE_EVERY_S

    def show(snapshots: Sequence[Snapshot]) -> None:
        nonlocal next_s
        passed_s = time.monotonic() - beginning.monotonic_s
        if passed_s >= next_s:
            next_s = passed_s + LINE_EVERY_S
            print(f"{passed_s:6.0f} s  {text(snapshots)}", file=sys.stderr, flush=True)

    return show


def phase(wanted: Options, passed_s: float) -> str:
    """Return what the run is about."""
    if passed_s < wanted.ramp_s:
        return "ramp"
    return "hold" if passed_s < wanted.ramp_s + wanted.hold_s else "drain"


def text(snapshots: Sequence[Snapshot]) -> str:
    """Return the sums of all workers; of the lag, which is no sum, the worst."""
    if not snapshots:
        return ""
    connected, made, acknowledged, refused, disconnects, _lag = map(sum, zip(*snapshots, strict=True))
    return (
        f"{connected} connected, {made} messages, {made - acknowledged} of them not acknowledged, "
        f"{refused} refused, {disconnects} connections lost, lag {max(each.lag_ms for each in snapshots):.0f} ms"
    )
