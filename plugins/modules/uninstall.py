#!/usr/bin/python
# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: uninstall
short_description: Remove what this collection has put on a host, and keep the records unless told
version_added: 0.1.0
description:
  - Stops and disables units, and removes files and folders. In check mode it only says what it would remove and keep.
  - Records are kept unless told. They are removed only from directories that the manifest lists, and that belong to its
    cluster.
  - Nothing is removed where a unit or a folder of the same name is not of this collection, or where C(/opt/raspi-kafka)
    is not there. That goes last, so that an interrupted run can be run again.
author:
  - raspi.kafka contributors (@raspi-kafka)
options:
  units:
    description: Units to stop and disable. Their files, or those that change them, are among O(paths).
    type: list
    elements: str
    required: true
  paths:
    description: Files and folders with programs and configuration.
    type: list
    elements: path
    required: true
  log_dirs:
    description: Directories that were made for records. Those that are empty are removed.
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
  users:
    description: System users that own nothing that stays.
    type: list
    elements: str
    default: []
  data:
    description: Whether to remove the records, too.
    type: bool
    default: false
  packages:
    description: Debian packages that may have been installed for it. They are kept, and named if they are there.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - raspi.kafka._attributes
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
  sample: ["/var/lib/kafka/data (records, 133 MB)", "package python3-venv"]
"""

import json
import os
import pwd
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.raspi.kafka.plugins.module_utils._log_dirs import BALLAST, bytes_of, meta_properties

# What no other installation has.
_OURS = "/opt/raspi-kafka"
_JOURNAL = "/var/log/journal"
_MB = 1_000_000


class UninstallError(Exception):
    """A sentence for the user: what cannot be removed, why, and what to do."""


@dataclass(frozen=True)
class Found:
    """What is on the host. `records` is bytes by directory, `lost` are directories of records that are not there."""

    present: set[str]
    records: dict[str, int] = field(default_factory=dict)
    lost: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    user: bool = False
    users: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()


@dataclass
class Plan:
    """What to do, in this order; `data` is bytes of records by directory."""

    units: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    data: dict[str, int] = field(default_factory=dict)
    empty: list[str] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    keeps: list[str] = field(default_factory=list)

    @property
    def removes(self) -> list[str]:
        return [
            *self.paths,
            *(f"{path} (records, {size / _MB:.0f} MB, for good)" for path, size in self.data.items()),
            *(f"{path} (empty)" for path in self.empty),
            *(f"user {name}" for name in self.users),
        ]


def read_manifest(path: str) -> tuple[str, list[str]]:
    """Cluster id and directories of the manifest; neither where there is none.

    :raises UninstallError: it cannot be understood.
    """
    try:
        with open(path, encoding="utf-8") as file:
            manifest = json.load(file)
        return str(manifest["cluster_id"]), [str(one) for one in manifest["log_dirs"]]
    except FileNotFoundError:
        return "", []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UninstallError(
            f"{path} does not say whose the records are ({error}). Mend it, or remove it by hand. Nothing was changed."
        ) from error


def belongs_to(path: str, cluster_id: str) -> bool:
    """Whether Kafka has formatted a directory for this cluster; anything else is not ours to remove."""
    try:
        return (meta_properties(path) or {}).get("cluster.id") == cluster_id
    except OSError:
        return False


def refuse_foreign(paths: list[str]) -> None:
    """Refuse a unit and a folder of a Kafka that this collection did not install.

    :raises UninstallError: there is one.
    """
    for path in paths:
        if path.endswith(".service") and os.path.exists(path):
            with open(path, encoding="utf-8", errors="replace") as file:
                foreign = f"{_OURS}/" not in file.read()
        else:
            foreign = os.path.isdir(os.path.join(path, "bin"))
        if foreign:
            raise UninstallError(f"{path} was not made by this collection. Remove it yourself. Nothing was changed.")


def has_user(name: str) -> bool:
    """Whether there is such a user of the system; somebody's login has a higher number, and is never ours."""
    try:
        return pwd.getpwnam(name).pw_uid < 1000
    except KeyError:
        return False


def is_of_unit(path: str, unit: str) -> bool:
    """Whether a file is a unit's own, or a drop-in of it (systemd.unit(5))."""
    return path.endswith(f"/{unit}") or f"/{unit}.d/" in path


def plan(params: dict[str, object], found: Found) -> Plan:
    """Say what goes and what stays; pure.

    :raises UninstallError: records are to be removed and are not there.
    """
    installed = [path for path in params["paths"] if path in found.present] if _OURS in found.present else []
    result = Plan(paths=sorted(installed, key=lambda path: path == _OURS))
    result.empty = list(found.empty if installed else ())
    result.units = [unit for unit in params["units"] if any(is_of_unit(path, unit) for path in result.paths)]
    result.users = list(found.users if installed else ())
    identity = [params["identity"]] if params["identity"] in found.present else []
    owner = str(params["user"]) if found.user and (installed or identity) else ""
    if params["data"] and found.lost:
        raise UninstallError(
            f"{' and '.join(found.lost)} should have records and has none. Is its disk mounted? "
            f"If it is gone for good, strike it from log_dirs in {params['identity']}. Nothing was changed."
        )
    if params["data"]:
        result.paths[:0] = identity
        result.data = dict(found.records)
        result.users += [owner] if owner else []
    else:
        ballasts = [path for one in found.records if (path := os.path.join(one, BALLAST)) in found.present]
        result.paths[:0] = ballasts
        result.keeps += [f"{path} (records, {size / _MB:.0f} MB)" for path, size in found.records.items()]
        result.keeps += [f"{path} (records, on a disk that is not mounted)" for path in found.lost]
        result.keeps += [f"{path} (whose they are)" for path in identity]
        result.keeps += [f"user {owner} (owns them)"] if owner else []
    result.keeps += [f"package {name}" for name in found.packages]
    result.keeps += [f"{_JOURNAL} (what was logged)"] if installed and _JOURNAL in found.present else []
    return result


def remove(path: str) -> None:
    """Remove a file, a link or a folder."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


def remove_records(path: str) -> None:
    """Empty a directory; it goes itself unless a disk is mounted there, or its owner has put a link there."""
    # What says whose they are goes last, so that an interrupted run can be run again.
    for name in sorted(os.listdir(path), key=lambda name: name == "meta.properties"):
        if name != "lost+found":
            remove(os.path.join(path, name))
    if not os.path.ismount(path) and not os.path.islink(path):
        os.rmdir(path)


def remove_empty(folders: Iterable[str]) -> None:
    """Remove the folders that were ours alone, and are empty now."""
    for folder in sorted(folders, key=len, reverse=True):
        if folder.endswith(("/kafka", ".conf.d", ".service.d")) and os.path.isdir(folder) and not os.listdir(folder):
            os.rmdir(folder)


def command(module: AnsibleModule, *words: str) -> None:
    """Run a program.

    :raises UninstallError: it failed.
    """
    code, out, err = module.run_command([*words])
    if code:
        raise UninstallError(f"{' '.join(words)} failed: {err.strip() or out.strip()}. Run it again.")


def apply(module: AnsibleModule, todo: Plan) -> None:
    """The only writer."""
    if todo.units:
        command(module, "systemctl", "disable", "--now", *todo.units)
    for path in todo.data:
        remove_records(path)
    for path in todo.empty:
        os.rmdir(path)
    own_last = bool(todo.paths) and todo.paths[-1] == _OURS
    for path in todo.paths[:-1] if own_last else todo.paths:
        remove(path)
    remove_empty({os.path.dirname(path) for path in [*todo.paths, *todo.data, *todo.empty]})
    if own_last:
        command(module, "systemctl", "daemon-reload")
        module.run_command(["systemctl", "reset-failed", *todo.units])  # there is nothing to reset in most cases
        command(module, "systemctl", "restart", "systemd-journald.service")
    for name in todo.users:
        command(module, "userdel", name)
    if own_last:
        remove(_OURS)


def look(module: AnsibleModule) -> Found:
    """Find out everything; changes nothing."""
    params = module.params
    cluster_id, formatted = read_manifest(params["identity"])
    listed = list(map(os.path.normpath, formatted))
    records = {path: bytes_of(path) for path in listed if belongs_to(path, cluster_id)}
    made = [path for path in map(os.path.normpath, params["log_dirs"]) if path not in listed]
    candidates = [*params["paths"], params["identity"], _JOURNAL, *(os.path.join(path, BALLAST) for path in records)]
    words = ["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\n", *params["packages"]]
    _code, out, _err = module.run_command(words)  # it fails for names that it has never heard of
    return Found(
        present={path for path in candidates if os.path.lexists(path)},
        records=records,
        lost=tuple(path for path in listed if path not in records),
        empty=tuple(path for path in made if not os.path.ismount(path) and is_empty(path)),
        user=has_user(params["user"]),
        users=tuple(name for name in params["users"] if has_user(name)),
        packages=tuple(line.split()[0] for line in out.splitlines() if line.endswith(" installed")),
    )


def is_empty(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path) and not os.listdir(path)


def run(module: AnsibleModule) -> dict[str, object]:
    refuse_foreign(module.params["paths"])
    todo = plan(module.params, look(module))
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
            "users": {"type": "list", "elements": "str", "default": []},
            "data": {"type": "bool", "default": False},
            "packages": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module))
    except UninstallError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename} cannot be removed: {error.strerror}. Mend that and run it again.")


if __name__ == "__main__":
    main()
