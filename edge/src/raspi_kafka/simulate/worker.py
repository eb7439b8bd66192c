"""A process that is a part of the devices."""

from __future__ import annotations

import asyncio
import contextlib
import math
import multiprocessing
import os
import resource
import signal
import socket
import sys
import time
from array import array
from typing import TYPE_CHECKING, NamedTuple

from .. import garbage
from . import journal
from .fleet import Fleet
from .samples import spread

try:
    import uvloop
except ImportError:
    uvloop = None

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from .options import Options

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SNAPSHOT_S = 1.0


class Beginning(NamedTuple):
    """The moment from which all workers count.

    :ivar unix_ns: by time.time_ns().
    :ivar monotonic_s: by time.monotonic(), which all processes of a computer have in common.
    """

    unix_ns: int
    monotonic_s: float


class Result(NamedTuple):
    """What a worker has seen.

    :ivar connected: how many devices were ever connected.
    :ivar open: how many messages of which device were not acknowledged.
    :ivar acked_ms: how long each acknowledgement took.
    :ivar lags_ms: how late each message of the hold was made.
    :ivar cores: how much of a core it has used in the hold.
    """

    connected: int
    made: int
    acknowledged: int
    refused: int
    resent: int
    disconnects: int
    open: dict[str, int]
    faults: dict[str, int]
    acked_ms: array[float]
    lags_ms: array[float]
    cores: float
    rss_mib: float
    aborted: bool


def run(wanted: Options, worker: int, beginning: Beginning, pipe: Connection) -> None:
    """Be the worker of a number, tell of it all the time, and write the journal at the end.

    Signals are blocked until it can end in good order by them.
    """
    loop = uvloop.new_event_loop() if uvloop else asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    fleet, aborted = loop.run_until_complete(lived(wanted, worker, beginning, pipe))
    if wanted.journal:
        head = {
            "worker": worker,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "began_ns": beginning.unix_ns,
            "qos": wanted.qos,
            "lag_ms": {name: round(ms, 3) for name, ms in spread(fleet.lags_ms)._asdict().items()},
            "cpu_s": round(time.process_time(), 3),
            "rss_mib": round(rss_mib(), 1),
            "aborted": aborted,
        }
        try:
            journal.write(wanted.journal, head, fleet.devices)
        except OSError as failed:
            sys.exit(f"--journal {wanted.journal}: it can't be written ({failed.strerror}); make room, or name another")
    if multiprocessing.parent_process().is_alive():  # else nobody would ever take it
        pipe.send(result(fleet, aborted=aborted))


async def lived(wanted: Options, worker: int, beginning: Beginning, pipe: Connection) -> tuple[Fleet, bool]:
    """Return the fleet after its run, and whether that was cut short."""
    fleet = Fleet(wanted, range(worker, len(wanted.devices), wanted.workers), beginning.monotonic_s)
    loop = asyncio.get_running_loop()
    for each in SIGNALS:
        loop.add_signal_handler(each, fleet.stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    garbage.search_seldom()
    telling = asyncio.ensure_future(tell(fleet, pipe))
    try:
        return fleet, not await fleet.run()
    finally:
        telling.cancel()


async def tell(fleet: Fleet, pipe: Connection) -> None:
    """Tell how far it is; without anyone to tell it to the run ends."""
    parent = multiprocessing.parent_process()
    with contextlib.suppress(BrokenPipeError):  # it may be gone since the look at it
        while parent.is_alive():
            pipe.send(fleet.snapshot())
            await asyncio.sleep(SNAPSHOT_S)
    fleet.stop()


def result(fleet: Fleet, *, aborted: bool) -> Result:
    """Return what is told at the end."""
    outboxes = {device.name: device.outbox for device in fleet.devices}
    each = outboxes.values()
    open_ = {name: outbox.made - outbox.acknowledged for name, outbox in outboxes.items()}
    pairs = ((was, came) for outbox in each for was, came in zip(outbox.sent, outbox.acked, strict=False))
    return Result(
        connected=sum(device.connections > 0 for device in fleet.devices),
        made=sum(outbox.made for outbox in each),
        acknowledged=sum(outbox.acknowledged for outbox in each),
        refused=sum(device.refused for device in fleet.devices),
        resent=sum(outbox.resent for outbox in each),
        disconnects=sum(device.disconnects for device in fleet.devices),
        open={name: count for name, count in open_.items() if count},
        faults=dict(fleet.faults),
        acked_ms=array("f", (came - was for was, came in pairs if not math.isnan(came))),
        lags_ms=fleet.lags_ms,
        cores=fleet.cores,
        rss_mib=rss_mib(),
        aborted=aborted,
    )


def rss_mib() -> float:
    """Return the most memory that the process ever had, in MiB; Linux counts in KiB (getrusage(2))."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
