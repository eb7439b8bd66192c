#!/usr/bin/python
# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: uninstall
short_description: Remove what this collection has put on a host, and keep the records unless told
version_added: 0.2.0
description:
  - Stops and disables units, and removes files and folders. In check mode it only says what it would remove and keep.
  - Records are kept unless told. They are removed only from directories that have Kafka's C(meta.properties).
  - Nothing is removed where a unit or a folder of the same name is not of this collection.
author:
  - raspi.kafka contributors (@raspi-kafka)
options:
  units:
    description: Units to stop and disable. Their files are among O(paths).
    type: list
    elements: str
    required: true
  paths:
    description: Files and folders with programs and configuration.
    type: list
    elements: path
    required: true
  log_dirs:
    description: Directories with records.
    type: list
    elements: path
    required: true
  identity:
    description:
      - The manifest of M(raspi.kafka.kraft_format). It stays as long as the records do, and lists their directories.
    type: path
    required: true
  user:
    description: The system user that owns the records. It stays as long as they do.
    type: str
    required: true
  data:
    description: Whether to remove the records, too.
    type: bool
    default: false
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Returns details on what has changed (or possibly needs changing in check mode).
    support: full
"""

EXAMPLES = r"""
- name: Say what would be removed
  raspi.kafka.uninstall:
    units: [kafka.service]
    paths: [/etc/systemd/system/kafka.service, /opt/kafka]
    log_dirs: [/var/lib/kafka/data]
    identity: /etc/kafka/identity.json
    user: kafka
  check_mode: true
"""

RETURN = r"""
removes:
  description: What is removed, or would be.
  type: list
  elements: str
  returned: success
  sample: [/opt/kafka]
keeps:
  description: What is kept.
  type: list
  elements: str
  returned: success
  sample: ["/var/lib/kafka/data (records, 133 MB)"]
"""

import json
import os
import pwd
import shutil
from dataclasses import dataclass, field

from ansible.module_utils.basic import AnsibleModule

_OURS = "/opt/raspi-kafka/"
_BALLAST = "ballast"
_MB = 1_000_000


class UninstallError(Exception):
    """A sentence for the user: what is not of this collection, and what to do."""


@dataclass
class Plan:
    """What to do, in this order; `data` are directories with records."""

    units: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    data: list[str] = field(default_factory=list)
    user: str = ""
    keeps: list[str] = field(default_factory=list)

    @property
    def removes(self) -> list[str]:
        return [
            *self.paths,
            *(f"{path} (records)" for path in self.data),
            *([f"user {self.user}"] if self.user else []),
        ]


def log_dirs_of(identity: str) -> list[str]:
    """The directories that the manifest lists; none where it cannot be read."""
    try:
        with open(identity, encoding="utf-8") as file:
            return [str(path) for path in json.load(file)["log_dirs"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def has_records(path: str) -> bool:
    """Whether Kafka has formatted a directory; anything else is not ours to remove."""
    return os.path.isfile(os.path.join(path, "meta.properties"))


def refuse_foreign(paths: list[str]) -> None:
    """Refuse a unit and a folder of a Kafka that this collection did not install.

    :raises UninstallError: there is one.
    """
    for path in paths:
        if path.endswith(".service") and os.path.exists(path):
            with open(path, encoding="utf-8", errors="replace") as file:
                foreign = _OURS not in file.read()
        else:
            foreign = os.path.isdir(os.path.join(path, "bin"))
        if foreign:
            raise UninstallError(f"{path} was not made by this collection. Remove it yourself. Nothing was changed.")


def bytes_of(path: str) -> int:
    """What a directory takes on its disk."""
    files = (os.path.join(folder, name) for folder, _folders, names in os.walk(path) for name in names)
    return sum(os.lstat(file).st_blocks * 512 for file in files if os.path.lexists(file))


def has_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def plan(params: dict[str, object], present: set[str], records: dict[str, int], user: bool) -> Plan:
    """Say what goes and what stays; pure.

    :param present: those of the paths that exist.
    :param records: directory with records -> bytes.
    """
    result = Plan(paths=[path for path in params["paths"] if path in present])
    result.units = [unit for unit in params["units"] if any(path.endswith(f"/{unit}") for path in result.paths)]
    identity = [params["identity"]] if params["identity"] in present else []
    if params["data"]:
        result.paths += identity
        result.data = list(records)
        result.user = str(params["user"]) if user else ""
    else:
        result.paths += [path for one in records if (path := os.path.join(one, _BALLAST)) in present]
        result.keeps += [f"{path} (records, {size / _MB:.0f} MB)" for path, size in records.items()]
        result.keeps += [f"{path} (whose they are)" for path in identity]
        result.keeps += [f"user {params['user']} (owns them)"] if user else []
    return result


def remove(path: str) -> None:
    """Remove a file, a link or a folder."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


def remove_records(path: str) -> None:
    """Empty a directory; it goes itself unless a disk is mounted there."""
    for name in os.listdir(path):
        if name != "lost+found":
            remove(os.path.join(path, name))
    if not os.path.ismount(path):
        os.rmdir(path)


def remove_empty(folders: set[str]) -> None:
    """Remove the folders that were ours alone, and are empty now."""
    for folder in sorted(folders, key=len, reverse=True):
        if folder.endswith(("/kafka", "/journald.conf.d")) and os.path.isdir(folder) and not os.listdir(folder):
            os.rmdir(folder)


def apply(module: AnsibleModule, todo: Plan) -> None:
    """The only writer."""
    if todo.units:
        module.run_command(["systemctl", "disable", "--now", *todo.units], check_rc=True)
    for path in todo.paths:
        remove(path)
    for path in todo.data:
        remove_records(path)
    remove_empty({os.path.dirname(path) for path in [*todo.paths, *todo.data]})
    if todo.user:
        module.run_command(["userdel", todo.user], check_rc=True)
    if todo.units:
        module.run_command(["systemctl", "daemon-reload"], check_rc=True)
    if any("/journald.conf.d/" in path for path in todo.paths):
        module.run_command(["systemctl", "restart", "systemd-journald.service"], check_rc=True)


def run(module: AnsibleModule) -> dict[str, object]:
    params = module.params
    refuse_foreign(params["paths"])
    places = dict.fromkeys(map(os.path.normpath, [*params["log_dirs"], *log_dirs_of(params["identity"])]))
    records = {path: bytes_of(path) for path in places if has_records(path)}
    candidates = [*params["paths"], params["identity"], *(os.path.join(path, _BALLAST) for path in places)]
    todo = plan(params, {path for path in candidates if os.path.lexists(path)}, records, has_user(params["user"]))
    if not module.check_mode:
        apply(module, todo)
    return {
        "changed": bool(todo.removes),
        "removes": todo.removes,
        "keeps": todo.keeps,
        "diff": {"before": "".join(f"{line}\n" for line in todo.removes), "after": ""},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "units": {"type": "list", "elements": "str", "required": True},
            "paths": {"type": "list", "elements": "path", "required": True},
            "log_dirs": {"type": "list", "elements": "path", "required": True},
            "identity": {"type": "path", "required": True},
            "user": {"type": "str", "required": True},
            "data": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module))
    except UninstallError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
