#!/usr/bin/python
# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: kernel_settings
short_description: Set numbers below /proc/sys where the kernel lets them be set, and name the others
version_added: 0.2.0
description:
  - Sets the running kernel's values. What they are after the next boot follows from a file in C(/etc/sysctl.d), which
    is not this module's.
  - A kernel that does not let a value be set, as a container's, is no failure. Such keys are returned.
author:
  - raspi.kafka contributors (@raspi-kafka)
options:
  settings:
    description: Key, as in sysctl.conf(5), and the number wanted.
    type: dict
    required: true
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying target.
    support: full
    details:
      - In check mode a read-only C(/proc/sys) is told from a writable one by its mount options.
  diff_mode:
    description: Returns details on what has changed (or possibly needs changing in check mode).
    support: full
"""

EXAMPLES = r"""
- name: Keep the JVM out of swap
  raspi.kafka.kernel_settings:
    settings:
      vm.swappiness: 1
"""

RETURN = r"""
not_applied:
  description: Keys that have another value than wanted and cannot be set here, with the value in force.
  type: dict
  returned: success
  sample: {vm.swappiness: 60}
"""

import os
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

_ROOT = Path("/proc/sys")


def place(key: str) -> Path:
    """Where the kernel shows a key (sysctl(8): dots separate)."""
    return _ROOT.joinpath(*key.split("."))


def in_force(keys: list[str]) -> dict[str, int]:
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


def run(module: AnsibleModule) -> dict[str, Any]:
    wanted = {key: int(value) for key, value in module.params["settings"].items()}
    before = in_force(list(wanted))
    todo = differing(before, wanted)
    done = [key for key, value in todo.items() if (may_write(key) if module.check_mode else apply(key, value))]
    after = {**before, **{key: wanted[key] for key in done}}
    return {
        "changed": bool(done),
        "not_applied": {key: before[key] for key in todo if key not in done},
        "diff": {"before": before, "after": after},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={"settings": {"type": "dict", "required": True}},
        supports_check_mode=True,
    )
    module.exit_json(**run(module))


if __name__ == "__main__":
    main()
