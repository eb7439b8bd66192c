"""Let Mosquitto be reloaded only while the bridge is connected to it.

    bridge_connected.py PORT USER    end with 0 where a reload loses nothing, else with 1 and a sentence

A reload forgets what a session may read that was read from the disk and has not connected since (seen with 2.0.11 and
2.0.21; security_default.c): its queue stays, but messages are acknowledged and no longer put into it. A restart keeps
all.
"""

from __future__ import annotations

import pwd
import sys
from collections.abc import Iterable

_ESTABLISHED = "01"  # linux/include/net/tcp_states.h


def connected(lines: Iterable[str], port: int, user_id: int) -> bool:
    """Whether a process of a user has a connection to a port.

    :param lines: of /proc/net/tcp or tcp6 (proc(5)): number, local address, remote address, state, ..., user id, ...
    """
    for line in lines:
        fields = line.split()
        if len(fields) < 8 or fields[3] != _ESTABLISHED:
            continue
        if int(fields[2].rpartition(":")[2], 16) == port and int(fields[7]) == user_id:
            return True
    return False


def connections() -> list[str]:
    """Those of this host, without the headings."""
    lines = []
    for name in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(name, encoding="ascii") as file:
                lines += file.readlines()[1:]
        except FileNotFoundError:  # a kernel without IPv6
            continue
    return lines


def main(port: int, user: str) -> str | None:
    """Return why it must not be reloaded."""
    try:
        user_id = pwd.getpwnam(user).pw_uid
    except KeyError:  # there is no bridge yet, and so no session of it
        return None
    if connected(connections(), port, user_id):
        return None
    return f"{user} is not connected, and a reload could lose messages for it: systemctl restart mosquitto keeps them."


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2]))
