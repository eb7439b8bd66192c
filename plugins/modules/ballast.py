#!/usr/bin/python
# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: ballast
short_description: Keep a file on each disk of records that can be thrown away when the disk is full
version_added: 0.1.0
description:
  - A broker whose disk is full ends, and then cannot delete its own old records. Deleting the ballast gives it room to
    start, apply the retention of its topics and delete.
  - The space is reserved and not written (fallocate(2)), so that it costs a card nothing.
  - Where there is less than twice the space that is missing, nothing is reserved, and C(skipped_dirs) says so.
  - A file of that name whose space is not reserved does not count. One in another directory of the same file system
    is removed.
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
extends_documentation_fragment:
  - raspi.kafka._attributes
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

import errno
import os
import stat
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.raspi.kafka.plugins.module_utils._log_dirs import BALLAST


class BallastError(Exception):
    """A sentence for the user: what stands in the place of a ballast, and what to do."""


@dataclass(frozen=True)
class Ballast:
    """One file; sizes in bytes, None is no file. `present` is what is reserved, `free` what is left beside it."""

    path: str
    present: int | None
    wanted: int | None
    free: int

    @property
    def missing(self) -> int:
        return (self.wanted or 0) - (self.present or 0)


def to_change(found: list[Ballast]) -> list[Ballast]:
    """Those that have another size than wanted and can get it."""
    return [one for one in found if one.present != one.wanted and one not in too_large(found)]


def too_large(found: list[Ballast]) -> list[Ballast]:
    """Those that would take more than half of what is free."""
    return [one for one in found if one.missing > 0 and one.free < 2 * one.missing]


def reserved(path: str) -> int | None:
    """The size of a ballast: 0 where its space is not reserved, None where there is none.

    :raises BallastError: it is no file. User kafka, who owns the directory, could have put a link there.
    """
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        raise BallastError(f"{path} is there and is no file. Remove it and run the play again.")
    return found.st_size if found.st_blocks * 512 >= found.st_size else 0


def look(log_dirs: list[str], size: int) -> list[Ballast]:
    """What each directory has and shall have: of several on one file system the first one alone gets a ballast.

    One that is not made yet (check mode) has none, and enough room.
    """
    found: list[Ballast] = []
    disks: set[int] = set()
    for log_dir in dict.fromkeys(map(os.path.realpath, log_dirs)):
        path = os.path.join(log_dir, BALLAST)
        if not os.path.isdir(log_dir):
            found.append(Ballast(path, None, size or None, 1 << 60))
            continue
        room, disk = os.statvfs(log_dir), os.stat(log_dir).st_dev
        wanted = None if disk in disks else size or None
        found.append(Ballast(path, reserved(path), wanted, room.f_bavail * room.f_frsize))
        disks.add(disk)
    return found


def apply(ballast: Ballast) -> bool:
    """Reserve, shrink or remove; False where the space was not there after all, and then no file is.

    Root's, so that only the owner of the Pi gives it up.
    """
    if ballast.wanted is None:
        os.unlink(ballast.path)
        return True
    handle = os.open(ballast.path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    try:
        # In this order a run that is cut off leaves a file that is too short, and not one that only looks right.
        os.posix_fallocate(handle, 0, ballast.wanted)
        os.ftruncate(handle, ballast.wanted)
        os.fsync(handle)
    except OSError as error:
        os.unlink(ballast.path)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return False
        raise
    finally:
        os.close(handle)
    return True


def run(module: AnsibleModule) -> dict[str, Any]:
    found = look(module.params["log_dirs"], module.params["size_mb"] << 20)
    todo, skipped = to_change(found), too_large(found)
    failed = [] if module.check_mode else [one for one in todo if not apply(one)]
    after = {one.path: one.wanted if one in todo else one.present for one in found}
    after.update({one.path: None for one in failed})
    before = {one.path: one.present for one in found}
    return {
        "changed": before != after,
        "skipped_dirs": [os.path.dirname(one.path) for one in skipped + failed],
        "diff": {"before": before, "after": after},
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
    except BallastError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(
            msg=f"Cannot reserve {module.params['size_mb']} MiB: {error}. Free some space, or set it to 0."
        )


if __name__ == "__main__":
    main()
