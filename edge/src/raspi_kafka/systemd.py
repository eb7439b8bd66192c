"""Notes to systemd (sd_notify(3)); silent where nobody listens."""

from __future__ import annotations

import contextlib
import os
import socket


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
