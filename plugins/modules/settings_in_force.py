#!/usr/bin/python
# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: settings_in_force
short_description: Bring into force what was written for the kernel and the journal, and name what is not
version_added: 0.1.0
description:
  - Sets the running kernel's values. A kernel that does not let a value be set, as a container's, or that does not have
    it, is no failure. Such keys are returned, and so are those that another file sets anew at the next boot.
  - Restarts journald where it was started before its file was written, and lets it begin to keep the journal on the
    disk. Judged by these times and not by who wrote the file, a run that was cut off in between is made good.
author:
  - raspi.kafka contributors (@raspi-kafka)
options:
  sysctls:
    description: Key, as in sysctl.conf(5), and the number wanted.
    type: dict
    required: true
  sysctl_file:
    description: The file that sets them at a boot, with its full path.
    type: path
    required: true
  journald_file:
    description: The file with journald's settings, with its full path.
    type: path
    required: true
extends_documentation_fragment:
  - raspi.kafka._attributes
attributes:
  check_mode:
    support: full
    details:
      - In check mode a read-only C(/proc/sys) is told from a writable one by its mount options.
  diff_mode:
    support: full
    details:
      - The values of the kernel are shown; a restart of journald is not.
"""

EXAMPLES = r"""
- name: Keep the JVM out of swap and the journal small
  raspi.kafka.settings_in_force:
    sysctls:
      vm.swappiness: 1
    sysctl_file: /etc/sysctl.d/60-raspi-kafka.conf
    journald_file: /etc/systemd/journald.conf.d/raspi-kafka.conf
"""

RETURN = r"""
not_applied:
  description: Keys that have another value than wanted and cannot be set here, with the value in force or C(missing).
  type: dict
  returned: success
  sample: {vm.swappiness: 60}
overruled:
  description: Keys that a file sets otherwise which is read later at a boot, with the value and the file.
  type: dict
  returned: success
  sample: {vm.swappiness: 10 in /etc/sysctl.d/99-sysctl.conf}
"""

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

_ROOT = Path("/proc/sys")
# sysctl.d(5): of files with one name that in the first folder is read, and all in the order of their names.
_FOLDERS = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d")
# In one call, so that systemd has all of it to do even if this run ends. The second one runs journalctl --flush.
_JOURNAL_UNITS = ("systemd-journald.service", "systemd-journal-flush.service")


def place(key: str) -> Path:
    """Where the kernel shows a key (sysctl(8): dots separate)."""
    return _ROOT.joinpath(*key.split("."))


def in_force(keys: Iterable[str]) -> dict[str, int]:
    """Key -> the kernel's value; a key that this kernel does not have is missing."""
    return {key: int(place(key).read_text(encoding="ascii")) for key in keys if place(key).exists()}


def differing(found: dict[str, int], wanted: dict[str, int]) -> dict[str, int]:
    """Keys whose value is another one, with the value wanted."""
    return {key: wanted[key] for key, value in found.items() if value != wanted[key]}


def apply(key: str, value: int) -> bool:
    """Set one value; False where the kernel does not let it be set."""
    try:
        place(key).write_text(str(value), encoding="ascii")
    except OSError:
        return False
    return True


def may_write(key: str) -> bool:
    """Whether the mount is writable; root passes the permissions in any case."""
    return not os.statvfs(place(key)).f_flag & os.ST_RDONLY


def parse(text: str) -> dict[str, str]:
    """Read sysctl.conf(5): KEY = VALUE, where slashes separate too and a dash before a key forgives errors."""
    pairs = [line.partition("=") for line in text.splitlines() if not line.lstrip().startswith(("#", ";"))]
    return {key.strip().lstrip("-").replace("/", "."): value.strip() for key, sign, value in pairs if sign}


def read_later(path: str, folders: Iterable[str]) -> list[Path]:
    """The files that are read after `path` at a boot, the last one last."""
    files: dict[str, Path] = {}
    for folder in map(Path, folders):
        for file in folder.glob("*.conf"):
            files.setdefault(file.name, file)
    return [files[name] for name in sorted(files) if name > os.path.basename(path)]


def overruled(wanted: dict[str, int], later: Iterable[Path]) -> dict[str, str]:
    """Key -> value and file, for those that a later file sets otherwise."""
    found: dict[str, str] = {}
    for file in later:
        said = parse(file.read_text(encoding="utf-8", errors="replace")) if file.is_file() else {}
        for key in wanted.keys() & said.keys():
            found.pop(key, None)
            if said[key] != str(wanted[key]):
                found[key] = f"{said[key]} in {file}"
    return found


def is_stale(written: float, started: float, now: float) -> bool:
    """Whether a program has not read a file yet that was written later than its start.

    A file from the future was written before the clock was set; nothing can be said of it, and the next boot reads it.
    """
    return started < written <= now


def journald_is_stale(module: AnsibleModule, path: str) -> bool:
    """Whether journald was started before its file was written; False where there is no file, as in a dry run."""
    if not os.path.exists(path):
        return False
    show = ["systemctl", "show", _JOURNAL_UNITS[0], "--property=ExecMainStartTimestampMonotonic", "--value"]
    _code, out, _err = module.run_command(show, check_rc=True)
    now = time.time()
    started = now - time.monotonic() + int(out) / 1_000_000
    return is_stale(os.stat(path).st_mtime, started, now)


def run(module: AnsibleModule) -> dict[str, Any]:
    wanted = {key: int(value) for key, value in module.params["sysctls"].items()}
    before = in_force(wanted)
    todo = differing(before, wanted)
    done = [key for key, value in todo.items() if (may_write(key) if module.check_mode else apply(key, value))]
    after = {**before, **{key: wanted[key] for key in done}}
    restart = journald_is_stale(module, module.params["journald_file"])
    if restart and not module.check_mode:
        module.run_command(["systemctl", "restart", *_JOURNAL_UNITS], check_rc=True)
    return {
        "changed": bool(done) or restart,
        "not_applied": {key: before.get(key, "missing") for key, value in wanted.items() if after.get(key) != value},
        "overruled": overruled(wanted, read_later(module.params["sysctl_file"], _FOLDERS)),
        "diff": {"before": before, "after": after},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "sysctls": {"type": "dict", "required": True},
            "sysctl_file": {"type": "path", "required": True},
            "journald_file": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    module.exit_json(**run(module))


if __name__ == "__main__":
    main()
