#!/usr/bin/python
# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: apt_packages
short_description: Install packages on a host that may be busy or was interrupted, and say every 15 s what goes on
version_added: 0.1.0
description:
  - A host that has just booted updates itself for some minutes, and apt is locked meanwhile.
  - Waits until the locks of dpkg and apt are free. A wait of over 15 s names the program that holds them, every 15 s.
  - Then finishes what dpkg was interrupted in, without a question, and fetches what is lacking for that.
  - Then ansible.builtin.apt installs the packages, without what they only recommend, and says so every 15 s. Its limit
    is the C(timeout) of the task.
author:
  - raspi.kafka contributors (@raspi-kafka)
options:
  name:
    description: The packages. Needed for what a playbook asks; the action plugin reads it.
    type: list
    elements: str
  limit:
    description: Seconds to wait for the locks at most.
    type: int
    default: 600
  again:
    description: Set by the action plugin from its second call on; it makes no difference here.
    type: bool
    default: false
extends_documentation_fragment:
  - raspi.kafka._attributes
attributes:
  check_mode:
    support: full
    details:
      - It neither waits nor repairs in check mode.
seealso:
  - module: ansible.builtin.apt
"""

EXAMPLES = r"""
- name: Install Java
  raspi.kafka.apt_packages:
    name: [default-jre-headless]
  timeout: 2400
"""

RETURN = r"""
done:
  description: Whether apt is free.
  type: bool
  returned: failure
waits_for:
  description: Which program has locked it.
  type: str
  returned: failure
  sample: apt is locked by unattended-upgr (process 812)
"""

import fcntl
import os
import struct
import time
from collections.abc import Iterable

from ansible.module_utils.basic import AnsibleModule

_LOCKS = (
    "/var/lib/dpkg/lock-frontend",
    "/var/lib/dpkg/lock",
    "/var/lib/apt/lists/lock",
    "/var/cache/apt/archives/lock",
)
_SLICE_SECONDS = 15
_POLL_SECONDS = 1.0
# struct flock on 64-bit Linux: l_type, l_whence, l_start, l_len, l_pid (fcntl(2)).
_FLOCK = struct.Struct("hhqqi4x")


def holder(path: str) -> int:
    """The process that has locked a file, 0 where nobody has. Asks only (F_GETLK)."""
    try:
        with open(path, "rb") as file:
            asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            kind, _whence, _start, _length, pid = _FLOCK.unpack(fcntl.fcntl(file, fcntl.F_GETLK, asked))
    except FileNotFoundError:
        return 0
    return 0 if kind == fcntl.F_UNLCK else pid


def name_of(pid: int) -> str:
    """What a process is called."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
            return f"{file.read().strip()} (process {pid})"
    except OSError:
        return f"process {pid}"


def waits_for(paths: Iterable[str]) -> str:
    """Who has locked apt; empty where nobody has."""
    return next((f"apt is locked by {name_of(pid)}" for path in paths if (pid := holder(path))), "")


def wait(paths: tuple[str, ...], seconds: float) -> str:
    """Wait for a slice of time; returns what is still waited for."""
    deadline = time.monotonic() + seconds
    while (found := waits_for(paths)) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return found


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "list", "elements": "str"},
            "limit": {"type": "int", "default": 600},
            "again": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    found = "" if module.check_mode else wait(_LOCKS, _SLICE_SECONDS)
    module.exit_json(
        changed=False,
        done=not found,
        waits_for=found,
        limit=module.params["limit"],
        remedy="Let it end, or look what it does: ps -ef on the host. Then run the play again.",
    )


if __name__ == "__main__":
    main()
