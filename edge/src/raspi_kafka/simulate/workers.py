"""All workers, as their parent sees them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import time
from multiprocessing import connection
from typing import TYPE_CHECKING, NamedTuple

from . import progress, summary, worker
from .worker import SIGNALS, Beginning, Result

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    from .fleet import Snapshot
    from .options import Options

# All workers are ready by then: 10,000 devices are made in 0.2 s.
SECONDS_TO_BEGIN = 0.5
POLL_S = 0.5


class Worker(NamedTuple):
    """A process, and where it tells how far it is."""

    process: BaseProcess
    pipe: Connection


class Stop:
    """Passes on to workers what ends this process.

    :ivar signal: which signal came; None if none has.
    """

    def __init__(self, workers: list[Worker]) -> None:
        self._workers = workers
        self.signal: int | None = None

    def __call__(self, number: int, _frame: object) -> None:
        self.signal = number
        for each in self._workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(each.process.pid, signal.SIGTERM)


def run(wanted: Options) -> int:
    """Run the workers to their end, and tell what they have seen.

    :return: 0, 1 if not all was acknowledged, 128 and the number of the signal that ended it.
    """
    # A signal between here and the handlers would end this process without its workers.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    beginning = Beginning(time.time_ns() + int(SECONDS_TO_BEGIN * 1e9), time.monotonic() + SECONDS_TO_BEGIN)
    workers = [start(wanted, number, beginning) for number in range(wanted.workers)]
    stop = Stop(workers)
    for each in SIGNALS:
        signal.signal(each, stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    with progress.shown(wanted, beginning) as show:
        results = watch(workers, show)
    print(summary.text(wanted, results))
    failed = len(results) < len(workers)
    if failed:
        print("a worker has failed; what it says stands above, and its devices are not counted", file=sys.stderr)
    if stop.signal:
        return 128 + stop.signal
    return 1 if failed or any(each.open for each in results) else 0


def start(wanted: Options, number: int, beginning: Beginning) -> Worker:
    """Start a worker; a copy of this process needs no credentials on its command line."""
    context = multiprocessing.get_context("fork")
    ours, its = context.Pipe(duplex=False)
    process = context.Process(target=worker.run, args=(wanted, number, beginning, its))
    process.start()
    its.close()
    return Worker(process, ours)


def watch(workers: list[Worker], show: progress.Show) -> list[Result]:
    """Return what the workers say at their end; of one that has failed nothing."""
    latest: dict[Connection, Snapshot] = {}
    results: list[Result] = []
    pipes = {each.pipe for each in workers}
    while pipes:
        for pipe in connection.wait(pipes, POLL_S):
            try:
                told = pipe.recv()
            except EOFError:
                pipes.remove(pipe)
                continue
            if isinstance(told, Result):
                results.append(told)
            else:
                latest[pipe] = told
        show(list(latest.values()))
    for each in workers:
        each.process.join()
    return results
