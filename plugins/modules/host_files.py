#!/usr/bin/python
# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: host_files
short_description: Bring directories and files to a wanted state, all in one task
version_added: 0.1.0
description:
  - Creates directories, and writes files with the content that is given, with their owner, group and mode.
  - One task for all that a role places on a host, since most of a task's time goes into getting there.
  - A file is replaced as a whole and is on the disk before it takes its name, so that a power cut leaves the old or
    the new one.
  - A symbolic link on the way is followed if root made it, and refused if another user did.
author:
  - raspi.kafka contributors (@raspi-kafka)
options:
  directories:
    description: Directories. A parent that is missing is made too, owned by root.
    type: list
    elements: dict
    default: []
    suboptions:
      paths:
        description: Where they are.
        type: list
        elements: path
        required: true
      owner:
        description: Who owns them, and the name of the group that does.
        type: str
        default: root
      mode:
        description: Permissions in octal digits.
        type: str
        default: '0755'
  files:
    description: Files. The directory of each must exist when it is written.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Where it is.
        type: path
        required: true
      content:
        description: What is in it, as UTF-8.
        type: str
        required: true
      owner:
        description: Who owns it.
        type: str
        default: root
      group:
        description: Which group may read it.
        type: str
        default: root
      mode:
        description: Permissions in octal digits.
        type: str
        default: '0644'
extends_documentation_fragment:
  - raspi.kafka._attributes
seealso:
  - module: ansible.builtin.template
"""

EXAMPLES = r"""
- name: Write the configuration
  raspi.kafka.host_files:
    directories:
      - paths: [/etc/kafka]
    files:
      - path: /etc/kafka/server.properties
        content: "{{ lookup('ansible.builtin.template', 'server.properties.j2') }}"
        group: kafka
        mode: '0640'
"""

RETURN = r"""
changed_paths:
  description: What was created or changed, or would be.
  type: list
  elements: str
  returned: success
  sample: [/etc/kafka/server.properties]
before:
  description: What the files of changed_paths held before; a file that was not there is missing.
  type: dict
  returned: success
  sample: {/etc/kafka/server.properties: "node.id=1\n"}
"""

import grp
import os
import pwd
import stat
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.raspi.kafka.plugins.module_utils._whole_file import write_whole

# Components of a path, with those of all links on its way.
_MOST_STEPS = 200


class PlaceError(Exception):
    """A sentence for the user: which path cannot be as wanted, why, and what to do."""


@dataclass(frozen=True)
class Entry:
    """A directory or a file; `content` is None for a directory. `mode` is the number that chmod takes."""

    path: str
    owner: str
    group: str
    mode: int
    content: bytes | None = None


@dataclass(frozen=True)
class Change:
    """What has to be done for one entry."""

    entry: Entry
    create: bool
    rewrite: bool
    attributes: bool
    before: bytes | None = None

    @property
    def changed(self) -> bool:
        return self.create or self.rewrite or self.attributes


def parse(directories: list[dict[str, Any]], files: list[dict[str, Any]]) -> list[Entry]:
    """The options as entries, directories first.

    :raises PlaceError: a mode is no octal number.
    """
    folders = [Entry(path, one["owner"], one["owner"], octal(one)) for one in directories for path in one["paths"]]
    return folders + [
        Entry(one["path"], one["owner"], one["group"], octal(one), one["content"].encode()) for one in files
    ]


def octal(option: dict[str, Any]) -> int:
    try:
        return int(option["mode"], 8)
    except ValueError as error:
        path = option.get("path") or option["paths"]
        raise PlaceError(f"The mode {option['mode']} of {path} is no octal number, such as 0644.") from error


def attributes_of(found: os.stat_result) -> tuple[str, str, int]:
    """Owner, group and mode; a number stands for a user or group that is gone."""
    try:
        owner = pwd.getpwuid(found.st_uid).pw_name
    except KeyError:
        owner = str(found.st_uid)
    try:
        group = grp.getgrgid(found.st_gid).gr_name
    except KeyError:
        group = str(found.st_gid)
    return owner, group, stat.S_IMODE(found.st_mode)


def reach(path: str) -> str:
    """Where a path leads. A link of another user is not followed: it could lead root to any file.

    :raises PlaceError: there is one.
    """
    reached, left = "/", path.split("/")[::-1]
    for _step in range(_MOST_STEPS):
        if not left:
            return reached
        place = os.path.normpath(os.path.join(reached, left.pop()))
        if not os.path.islink(place):
            reached = place
            continue
        if os.lstat(place).st_uid not in (0, os.geteuid()):
            raise PlaceError(
                f"{place} is a link that root did not make. Remove it, or make it as root, and run the play again."
            )
        target = os.readlink(place)
        reached = "/" if target.startswith("/") else reached
        left += target.split("/")[::-1]
    raise PlaceError(f"{path} leads in a circle. Mend its links and run the play again.")


def plan(entry: Entry) -> Change:
    """Compare an entry with the disk.

    :raises PlaceError: something of another kind has the path, or it leads over a link of another user.
    """
    try:
        found = os.stat(reach(entry.path))
    except FileNotFoundError:
        return Change(entry, create=True, rewrite=entry.content is not None, attributes=True)
    wanted, expected = ("directory", stat.S_ISDIR) if entry.content is None else ("file", stat.S_ISREG)
    if not expected(found.st_mode):
        raise PlaceError(f"{entry.path} is there and is no {wanted}. Move it away and run the play again.")
    attributes = attributes_of(found) != (entry.owner, entry.group, entry.mode)
    if entry.content is None:
        return Change(entry, create=False, rewrite=False, attributes=attributes)
    with open(entry.path, "rb") as file:
        before = file.read()
    return Change(entry, create=False, rewrite=before != entry.content, attributes=attributes, before=before)


def apply(change: Change) -> None:
    """Make one entry as wanted.

    :raises PlaceError: its owner or its folder does not exist.
    """
    entry = change.entry
    try:
        user, group = pwd.getpwnam(entry.owner).pw_uid, grp.getgrnam(entry.group).gr_gid
        if change.rewrite:
            # A symlink stays one: what it leads to is replaced.
            write_whole(reach(entry.path), entry.content or b"", entry.mode, (user, group))
        elif change.create:
            os.makedirs(entry.path)
        if change.attributes and not change.rewrite:
            give(entry, user, group)
    except (KeyError, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else f"there is no {entry.owner}:{entry.group} on this host"
        raise PlaceError(f"Cannot place {entry.path}: {why}. What stands before it in the list was placed.") from error


def give(entry: Entry, user: int, group: int) -> None:
    """Set owner and mode of what was looked at, and not of a link that took its place meanwhile."""
    handle = os.open(reach(entry.path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        os.fchown(handle, user, group)
        os.fchmod(handle, entry.mode)
    finally:
        os.close(handle)


def shown(attributes: tuple[str, str, int]) -> str:
    owner, group, mode = attributes
    return f"{owner}:{group} {mode:04o}\n"


def diff(change: Change) -> dict[str, str]:
    """One entry for ``--diff``: the content if that changes, else owner, group and mode."""
    entry = change.entry
    header = {"before_header": entry.path, "after_header": entry.path}
    if change.rewrite:
        before = (change.before or b"").decode(errors="replace")
        return {**header, "before": before, "after": (entry.content or b"").decode()}
    found = "" if change.create else shown(attributes_of(os.stat(entry.path)))
    return {**header, "before": found, "after": shown((entry.owner, entry.group, entry.mode))}


def run(module: AnsibleModule) -> dict[str, Any]:
    entries = parse(module.params["directories"], module.params["files"])
    changes = [change for change in map(plan, entries) if change.changed]
    differences = [diff(change) for change in changes]
    if not module.check_mode:
        for change in changes:
            apply(change)
    return {
        "changed": bool(changes),
        "changed_paths": [change.entry.path for change in changes],
        "before": {one.entry.path: one.before.decode(errors="replace") for one in changes if one.before is not None},
        "diff": differences,
    }


def main() -> None:
    directory = {
        "paths": {"type": "list", "elements": "path", "required": True},
        "owner": {"type": "str", "default": "root"},
    }
    file = {
        "path": {"type": "path", "required": True},
        "content": {"type": "str", "required": True},
        "owner": {"type": "str", "default": "root"},
        "group": {"type": "str", "default": "root"},
    }
    module = AnsibleModule(
        argument_spec={
            "directories": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {**directory, "mode": {"type": "str", "default": "0755"}},
            },
            "files": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {**file, "mode": {"type": "str", "default": "0644"}},
            },
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module))
    except PlaceError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
