"""What the operating system allows a process and an address."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import TYPE_CHECKING

from .options import OptionError

if TYPE_CHECKING:
    from .options import Options

PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
# What a process has open beside its connections.
OTHER_FILES = 64


def check(wanted: Options) -> None:
    """Raise the limit of open files as far as it is needed, and look whether all can connect.

    :raises OptionError: they can't.
    """
    count = len(wanted.devices)
    check_ports(count, PORTS)
    check_files(-(-count // wanted.workers) + OTHER_FILES)


def check_ports(devices: int, file: Path) -> None:
    """Look whether there is a port for each connection: all of them have both addresses and one port in common.

    :raises OptionError: there is not.
    """
    try:
        low, high = map(int, file.read_text(encoding="ascii").split())
    except OSError:  # not Linux
        return
    ports = high - low + 1
    if devices > ports:
        raise OptionError(
            f"--devices {devices}: one address has {ports} ports for connections to another; "
            "widen net.ipv4.ip_local_port_range (sysctl) or send from several computers"
        )


def check_files(needed: int) -> None:
    """Raise the soft limit of open files, which the workers inherit.

    :raises OptionError: the hard limit is lower.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        if hard != resource.RLIM_INFINITY and hard < needed:
            raise OptionError(
                f"a process needs {needed} open files and may have {hard}; raise the hard limit (ulimit -Hn, or "
                "LimitNOFILE= of a service) or give more --workers"
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
