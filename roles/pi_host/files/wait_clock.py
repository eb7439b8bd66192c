"""Hold Kafka back until the clock is right; raspi-kafka-clock.service runs this before kafka.service.

    wait_clock.py --limit SECONDS   ready once the clock is right, or after SECONDS with an alarm; then watches on
    wait_clock.py --now             print {"right": ..., "why": ...} and end

A Pi without a battery-backed clock boots with the time of its last shutdown. Kafka refuses records that are stamped an
hour later than its own clock (KIP-1030), and deletes by time what is stamped too early.

The clock is right when chrony follows another clock and has at most a second left to correct, and where no chrony
answers, when the kernel says so (STA_UNSYNC of adjtimex(2), which systemd-timesyncd and ntpd clear). The wait units of
the distributions are not asked: they skip themselves in containers and with another time service than theirs, and then
nobody has waited.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass

# <linux/timex.h>
_TIME_ERROR = 5
_STA_UNSYNC = 0x0040
_STATUS_OFFSET = 5 * ctypes.sizeof(ctypes.c_long)  # modes (padded), offset, freq, maxerror, esterror; then status
_TIMEX_BYTES = 1024  # struct timex is 208 bytes on 64-bit Linux

_POLL_SECONDS = 1.0
_WATCH_SECONDS = 10.0
# chronyc(1), tracking: the reference of a chronyd that follows nobody (`local`), and how far "System time" may be off.
_ITSELF = "7F7F0101"
_MAY_BE_OFF_SECONDS = 1.0
_TIME_SERVICES = ("/usr/sbin/chronyd", "/lib/systemd/systemd-timesyncd", "/usr/sbin/ntpd")


@dataclass(frozen=True)
class Clock:
    """Whether the clock is right, and why it is said so."""

    right: bool
    why: str


def of_chrony(tracking: str) -> Clock:
    """Read `chronyc -c tracking`: 14 comma-separated fields (chronyc(1)).

    :raises IndexError: there are fewer.
    :raises ValueError: the system time's offset is no number.
    """
    fields = tracking.strip().split(",")
    reference, name, off, leap = fields[0], fields[1], abs(float(fields[4])), fields[13]
    if leap == "Not synchronised":
        return Clock(False, "chrony has no time source that answers (is UDP port 123 open, and its server right?)")
    if reference == _ITSELF:
        return Clock(False, "chrony follows nobody but itself (is UDP port 123 open, and its server right?)")
    if off > _MAY_BE_OFF_SECONDS:
        return Clock(False, f"chrony follows {name} and still has {off:.0f} s to correct (sudo chronyc makestep)")
    return Clock(True, f"chrony follows {name}")


def of_kernel(state: int, status: int, services: bool) -> Clock:
    """Judge what adjtimex(2) returned.

    :param services: whether a time service is installed, for the advice.
    """
    if state < 0:
        return Clock(False, "the kernel does not let it be asked (adjtimex)")
    if state != _TIME_ERROR and not status & _STA_UNSYNC:
        return Clock(True, "the kernel's clock is synchronised")
    if services:
        return Clock(False, "its time service has not set it yet (does it reach its server, UDP port 123?)")
    return Clock(False, "no time service is installed (sudo apt install systemd-timesyncd)")


def ask_kernel() -> Clock:
    """Ask without changing anything (modes = 0)."""
    timex = ctypes.create_string_buffer(_TIMEX_BYTES)
    state = ctypes.CDLL(None).adjtimex(timex)
    status = int.from_bytes(timex.raw[_STATUS_OFFSET : _STATUS_OFFSET + 4], sys.byteorder)
    return of_kernel(state, status, any(map(os.path.exists, _TIME_SERVICES)))


def ask_chrony() -> Clock | None:
    """What chrony says; None where it gives no answer that can be read."""
    if not shutil.which("chronyc"):
        return None
    command = ["chronyc", "-n", "-c", "tracking"]
    try:
        return of_chrony(subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout)
    except (OSError, IndexError, ValueError, subprocess.SubprocessError):
        return None


def ask() -> Clock:
    """The clock now."""
    return ask_chrony() or ask_kernel()


def notify(text: str) -> None:
    """Send a message to systemd (sd_notify(3))."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.connect("\0" + path[1:] if path.startswith("@") else path)
            channel.send(text.encode())


def say(priority: int, text: str) -> None:
    """One line for the journal (sd-daemon(3))."""
    print(f"<{priority}>{text}", flush=True)


def stepped(before: float, after: float) -> str:
    """How the wall clock moved against the monotonic one, for `time.time() - time.monotonic()` of two moments."""
    seconds = after - before
    if abs(seconds) < 1:
        return "it was right to a second all the time"
    way = "forward" if seconds > 0 else "back"
    return f"it was set {way} by {abs(seconds):.0f} s; records before that have wrong times"


def let_go(limit: float, why: str) -> None:
    """Let Kafka start with a clock that may be wrong. To the owner who set the limit to 0 that is no alarm."""
    if limit > 0:
        say(1, f"Kafka starts with a clock that may be wrong, after {limit:.0f} s: {why}")
        notify(f"READY=1\nSTATUS=ALARM: the clock may be wrong: {why}")
    else:
        say(5, f"Kafka does not wait for the clock, as pi_host_clock_wait=0 says: {why}")
        notify(f"READY=1\nSTATUS=Kafka did not wait for the clock: {why}")


def wait(limit: float) -> None:
    """Return once the clock is right; after the limit Kafka no longer waits for it."""
    began, offset = time.monotonic(), time.time() - time.monotonic()
    released = False
    while not (clock := ask()).right:
        waited = time.monotonic() - began
        if waited < limit:
            notify(f"STATUS=the clock is not right yet, Kafka starts after {limit:.0f} s all the same: {clock.why}")
        elif not released:
            released = True
            let_go(limit, clock.why)
        time.sleep(_WATCH_SECONDS if released else min(_POLL_SECONDS, max(limit - waited, 0.01)))
    said = f"the clock is right: {clock.why}"
    if released:
        said += f"; {stepped(offset, time.time() - time.monotonic())}"
    say(5 if released else 6, said)
    notify(f"READY=1\nSTATUS={said}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Wait until the clock is right.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--limit", type=float, help="seconds after which Kafka starts all the same")
    what.add_argument("--now", action="store_true", help="print what is known now")
    options = parser.parse_args()
    if options.now:
        print(json.dumps(vars(ask())))
    else:
        wait(options.limit)


if __name__ == "__main__":
    main()
