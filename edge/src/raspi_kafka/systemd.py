"""Notes to systemd (sd_notify(3)); silent where nobody listens."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from pathlib import Path


def notify(*lines: str) -> None:
    """Send assignments, e.g. READY=1; a service manager that is gone or busy is no reason to fail or to wait."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as out:
        out.sendto("\n".join(lines).encode(), address)


def watchdog_interval_s() -> float | None:
    """Return the seconds between two signs of life, a third of what the unit allows; None without a watchdog."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    if not microseconds.isdigit() or os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(microseconds) / 3_000_000


class Watchdog:
    """Tells the watchdog of systemd that a loop runs, as often as the unit asks for it."""

    def __init__(self) -> None:
        self._every_s = watchdog_interval_s()
        self._told_s = 0.0

    def alive(self) -> None:
        """Say so if it is time; call it each turn."""
        now = time.monotonic()
        if self._every_s and now - self._told_s > self._every_s:
            self._told_s = now
            notify("WATCHDOG=1")


def directory(name: str) -> Path | None:
    """Return a folder that systemd gives the unit, the first of them; None without one.

    :param name: such as STATE_DIRECTORY (systemd.exec(5)).
    """
    said = os.environ.get(name, "").partition(":")[0]
    return Path(said) if said else None
