#!/usr/bin/python
# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: mosquitto_users
short_description: Own the users of a Mosquitto broker and their passwords
version_added: 0.1.0
description:
  - Writes the password file of Mosquitto 2 with the hashes that C(mosquitto_passwd) makes, without giving a password to
    any program.
  - A hash that fits its password stays, so that a second run changes nothing.
  - A user of the file that is not named stays as well.
  - A running broker takes the file up when it is reloaded.
author:
  - raspi.kafka contributors (@raspi-kafka)
options:
  path:
    description: The password file. Its directory must exist.
    type: path
    required: true
  users:
    description: Name -> password. An empty one is refused; in check mode it stands for one that is still to be drawn.
    type: dict
    default: {}
  absent:
    description: Names that shall not be in the file.
    type: list
    elements: str
    default: []
  owner:
    description: Who owns the file, and the name of the group that does. Mosquitto warns of a file that is not its own.
    type: str
    default: mosquitto
extends_documentation_fragment:
  - raspi.kafka._attributes
attributes:
  diff_mode:
    support: full
    details:
      - It shows names, never hashes.
"""

EXAMPLES = r"""
- name: Let a device connect
  raspi.kafka.mosquitto_users:
    path: /etc/mosquitto/passwords
    users:
      kitchen: "{{ kitchen_password }}"
"""

RETURN = r"""
users:
  description: The names that are in the file at the end of the task, or in check mode would be.
  type: list
  elements: str
  returned: success
  sample: [bath, kitchen]
before:
  description: The names that were in it.
  type: list
  elements: str
  returned: success
  sample: [bath]
added:
  description: Names that are new.
  type: list
  elements: str
  returned: success
  sample: [kitchen]
updated:
  description: Names whose password changed.
  type: list
  elements: str
  returned: success
  sample: []
removed:
  description: Names that are gone.
  type: list
  elements: str
  returned: success
  sample: []
"""

import base64
import binascii
import grp
import hashlib
import hmac
import os
import pwd
import secrets
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.raspi.kafka.plugins.module_utils._whole_file import write_whole

# As mosquitto_passwd 2.0 has it: PBKDF2 (RFC 8018) with SHA-512, written $7$ITERATIONS$SALT$HASH. The broker computes a
# hash for each client at each connection, and for all of them at once when it is reloaded, and serves nobody meanwhile;
# the drawn passwords of 192 bits gain nothing by more iterations.
_ITERATIONS = 101
_SALT_BYTES = 12
_HASH_BYTES = 64
_MODE = 0o600


class UsersError(Exception):
    """A sentence for the user: which user or file cannot be as wanted, why, and what to do."""


@dataclass(frozen=True)
class Plan:
    """What the file has to become; `text` differs from what is there, or nothing is to be done but owner and mode."""

    before: list[str]
    users: list[str]
    added: list[str]
    updated: list[str]
    removed: list[str]
    text: str


def hashed(password: str, salt: bytes, iterations: int = _ITERATIONS) -> str:
    """What stands in the file behind a name."""
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, iterations, _HASH_BYTES)
    return f"$7${iterations}${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}"


def fits(entry: str, password: str) -> bool:
    """Whether this is a hash of the password; one of another kind is not."""
    try:
        _empty, kind, iterations, salt, _key = entry.split("$")
        again = hashed(password, base64.b64decode(salt, validate=True), int(iterations)) if kind == "7" else ""
    except (ValueError, OverflowError, binascii.Error):
        return False
    return hmac.compare_digest(again.encode(), entry.encode())


def name_of(line: str) -> str:
    """The user of a line; empty for a comment and for what Mosquitto skips."""
    name, colon, _entry = line.partition(":")
    return name if colon and not name.startswith("#") else ""


def check(users: Mapping[str, str], absent: Iterable[str], dry: bool) -> None:
    """Refuse what the file cannot hold.

    :raises UsersError: there is such a name or password.
    """
    for name in [*users, *absent]:
        if not name or name.startswith("#") or any(sign in name for sign in ":\n\r\0"):
            raise UsersError(f"{name!r} cannot be a user: a name is not empty, begins with no #, and has no colon.")
    both = sorted(set(users) & set(absent))
    if both:
        raise UsersError(f"{', '.join(both)} cannot be wanted and absent at once. Nothing was changed.")
    empty = sorted(name for name, password in users.items() if not password)
    if empty and not dry:
        raise UsersError(f"{', '.join(empty)} has no password. Give each user one. Nothing was changed.")


def plan(text: str, users: Mapping[str, str], absent: Iterable[str]) -> Plan:
    """Compare the file with what is wanted. New users are appended in the order of their names."""
    lines = text.splitlines()
    entries = {name: line.partition(":")[2] for line in lines if (name := name_of(line))}
    removed = [name for name in entries if name in set(absent)]
    updated = [name for name in entries if name in users and not fits(entries[name], users[name])]
    added = sorted(set(users) - set(entries))
    fresh = {name: f"{name}:{hashed(users[name], secrets.token_bytes(_SALT_BYTES))}" for name in [*updated, *added]}
    kept = [fresh.get(name_of(line), line) for line in lines if name_of(line) not in removed]
    return Plan(
        before=list(entries),
        users=[name for name in entries if name not in removed] + added,
        added=added,
        updated=updated,
        removed=removed,
        text="".join(f"{line}\n" for line in [*kept, *(fresh[name] for name in added)]),
    )


def diff(made: Plan) -> dict[str, str]:
    """Names for ``--diff``, those of changed passwords marked."""
    after = [f"{name} (new password)" if name in made.updated else name for name in made.users]
    return {"before": "".join(f"{name}\n" for name in made.before), "after": "".join(f"{name}\n" for name in after)}


def read(path: str) -> str:
    """What is in the file; nothing where there is none.

    :raises UsersError: it is no text.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise UsersError(f"Cannot read {path}: {error}. Move it away and run the play again.") from error


def place_differs(path: str, owner: str) -> bool:
    """Whether owner, group or mode are not as wanted, or there is no file."""
    try:
        found = os.stat(path)
        wanted = (pwd.getpwnam(owner).pw_uid, grp.getgrnam(owner).gr_gid, _MODE)
    except (FileNotFoundError, KeyError):
        return True
    return (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) != wanted


def write(path: str, text: str, owner: str) -> None:
    """Write the file whole.

    :raises UsersError: its owner or its directory does not exist, or it cannot be written.
    """
    try:
        write_whole(path, text.encode(), _MODE, (pwd.getpwnam(owner).pw_uid, grp.getgrnam(owner).gr_gid))
    except (KeyError, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else f"there is no {owner}:{owner} on this host"
        raise UsersError(f"Cannot place {path}: {why}. Nothing was changed.") from error


def run(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    users = {str(name): str(password or "") for name, password in params["users"].items()}
    check(users, params["absent"], module.check_mode)
    text = read(params["path"])
    made = plan(text, users, params["absent"])
    changed = made.text != text or (bool(made.users) and place_differs(params["path"], params["owner"]))
    if changed and not module.check_mode:
        write(params["path"], made.text, params["owner"])
    facts = {key: getattr(made, key) for key in ("users", "before", "added", "updated", "removed")}
    return {"changed": changed, "diff": diff(made), **facts}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "users": {"type": "dict", "default": {}, "no_log": True},
            "absent": {"type": "list", "elements": "str", "default": []},
            "owner": {"type": "str", "default": "mosquitto"},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module))
    except UsersError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
