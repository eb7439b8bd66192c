#!/usr/bin/python
# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: ballast
short_description: Keep a file on each disk of records that can be thrown away when the disk is full
version_added: 0.2.0
description:
  - A broker whose disk is full ends, and then cannot delete its own old records. Deleting the ballast gives it room to
    start, apply the retention of its topics and delete.
  - The space is reserved and not written (fallocate(2)), so that it costs a card nothing.
  - Where there is less than twice the space that is missing, nothing is reserved, and C(skipped_dirs) says so.
author:
  - raspi.kafka contributors (@raspi-kafka)
options:
  log_dirs:
    description: Directories. Of several on one file system the first gets the file, which is called C(ballast).
    type: list
    elements: path
    required: true
  size_mb:
    description: Size in MiB. 0 removes the file.
    type: int
    required: true
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Returns details on what has changed (or possibly needs changing in check mode).
    support: full
"""

EXAMPLES = r"""
- name: Keep room for a full disk
  raspi.kafka.ballast:
    log_dirs: [/var/lib/kafka/data]
    size_mb: 128
"""

RETURN = r"""
skipped_dirs:
  description: Directories whose file system has too little space for it now.
  type: list
  elements: str
  returned: success
"""

import os
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.basic import AnsibleModule

_NAME = "ballast"


@dataclass(frozen=True)
class Ballast:
    """One file; sizes in bytes. `present` is what is reserved already, `free` what its file system has left."""

    path: str
    present: int
    free: int


def to_change(found: list[Ballast], wanted: int) -> list[Ballast]:
    """Those that have another size than wanted and can get it."""
    return [one for one in found if one.present != wanted and one not in too_large(found, wanted)]


def too_large(found: list[Ballast], wanted: int) -> list[Ballast]:
    """Those that would take more than half of what is free."""
    return [one for one in found if one.present < wanted and one.free < 2 * (wanted - one.present)]


def look(log_dirs: list[str]) -> list[Ballast]:
    """The first directory of each file system; one that is not made yet (check mode) has no ballast and enough room."""
    found: dict[int, Ballast] = {}
    for index, log_dir in enumerate(log_dirs):
        path = os.path.join(log_dir, _NAME)
        if not os.path.isdir(log_dir):
            found[-1 - index] = Ballast(path, 0, 1 << 60)
            continue
        room = os.statvfs(log_dir)
        present = os.stat(path).st_size if os.path.exists(path) else 0
        found.setdefault(os.stat(log_dir).st_dev, Ballast(path, present, room.f_bavail * room.f_frsize))
    return list(found.values())


def apply(ballast: Ballast, size: int) -> None:
    """Reserve, shrink or remove. Root's, so that only the owner of the Pi gives it up."""
    if size == 0:
        os.unlink(ballast.path)
        return
    handle = os.open(ballast.path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.ftruncate(handle, size)
        os.posix_fallocate(handle, 0, size)
        os.fsync(handle)
    finally:
        os.close(handle)


def run(module: AnsibleModule) -> dict[str, Any]:
    size = module.params["size_mb"] << 20
    found = look(module.params["log_dirs"])
    todo = to_change(found, size)
    for ballast in [] if module.check_mode else todo:
        apply(ballast, size)
    return {
        "changed": bool(todo),
        "skipped_dirs": [os.path.dirname(one.path) for one in too_large(found, size)],
        "diff": {
            "before": {one.path: one.present for one in found},
            "after": {one.path: size if one in todo else one.present for one in found},
        },
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "log_dirs": {"type": "list", "elements": "path", "required": True},
            "size_mb": {"type": "int", "required": True},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module))
    except OSError as error:
        module.fail_json(
            msg=f"Cannot reserve {module.params['size_mb']} MiB: {error}. Free some space, or set it to 0."
        )


if __name__ == "__main__":
    main()
