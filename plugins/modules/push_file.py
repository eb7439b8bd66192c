#!/usr/bin/python
# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: push_file
short_description: Copy a large file to a host in pieces, and go on where an earlier copy broke off
version_added: 0.1.0
description:
  - Copies a file of the control node into a file with the suffix C(.part) on the host, piece by piece. It gets its name
    once its sha512 is right.
  - What an interrupted copy has left there is compared with the file and kept.
  - Pieces grow while they are quick and shrink while they are slow, so that a link that often drops gets on as well.
  - A copy of over 15 s prints every 15 s how far it is. After two hours it fails, and the next run goes on.
author:
  - raspi.kafka contributors (@raspi-kafka)
options:
  src:
    description: The file on the control node. Needed for what a playbook asks; the action plugin reads it.
    type: path
  dest:
    description: Where it goes on the host. Its folder must exist.
    type: path
    required: true
  sha512:
    description: Its sha512 in hexadecimal digits.
    type: str
    required: true
  piece:
    description: Set by the action plugin. A file on the host to append.
    type: path
  offset:
    description: Set by the action plugin. Where the piece belongs, in bytes.
    type: int
  finish:
    description: Set by the action plugin with the last piece.
    type: bool
    default: false
extends_documentation_fragment:
  - raspi.kafka._attributes
attributes:
  diff_mode:
    support: none
seealso:
  - module: ansible.builtin.copy
"""

EXAMPLES = r"""
- name: Push the release
  raspi.kafka.push_file:
    src: /home/me/kafka_2.13-4.1.1.tgz
    dest: /opt/kafka/release.tgz
    sha512: "{{ lookup('ansible.builtin.file', 'kafka.sha512') }}"
"""

RETURN = r"""
offset:
  description: How many bytes were on the host already, and did not have to be sent.
  type: int
  returned: success
  sample: 33554432
"""

import errno
import hashlib
import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

_BLOCK = 1 << 18


class PushError(Exception):
    """A sentence for the user: what cannot be written on the host, and why."""


def sha512_of(path: str) -> str:
    """A file's sum; that of nothing where there is none."""
    digest = hashlib.sha512()
    if os.path.exists(path):
        with open(path, "rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()


def state(dest: str, wanted: str) -> dict[str, Any]:
    """What is there: all of it, or a beginning with its sum."""
    part = f"{dest}.part"
    if os.path.exists(dest) and sha512_of(dest) == wanted:
        return {"done": True, "offset": 0, "sha512": wanted}
    size = os.path.getsize(part) if os.path.exists(part) else 0
    return {"done": False, "offset": size, "sha512": sha512_of(part)}


def append(dest: str, piece: str, offset: int) -> None:
    """Write a piece at its place; what stands behind it is cut off."""
    with open(piece, "rb") as source, open(f"{dest}.part", "r+b" if offset else "wb") as target:
        target.truncate(offset)
        target.seek(offset)
        while block := source.read(_BLOCK):
            target.write(block)
        target.flush()
        os.fsync(target.fileno())


def finish(dest: str, wanted: str) -> None:
    """Give the file its name.

    :raises PushError: it is another file than wanted.
    """
    part = f"{dest}.part"
    found = sha512_of(part)
    if found != wanted:
        os.unlink(part)
        raise PushError(f"{dest} came with the sha512 {found}, wanted is {wanted}. Run the play again.")
    os.replace(part, dest)


def cannot_write(dest: str, error: OSError) -> str:
    """What the user can do about it."""
    remedy = "Free some space there" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "Look at that folder"
    return f"Cannot write {dest} on the host: {error.strerror}. {remedy}, then run the play again: it goes on."


def run(params: dict[str, Any]) -> dict[str, Any]:
    if params["piece"] is None:
        return {"changed": False, **state(params["dest"], params["sha512"])}
    try:
        append(params["dest"], params["piece"], params["offset"])
        if params["finish"]:
            finish(params["dest"], params["sha512"])
    except OSError as error:
        raise PushError(cannot_write(params["dest"], error)) from error
    return {"changed": True}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "src": {"type": "path"},
            "dest": {"type": "path", "required": True},
            "sha512": {"type": "str", "required": True},
            "piece": {"type": "path"},
            "offset": {"type": "int"},
            "finish": {"type": "bool", "default": False},
        },
        required_together=[("piece", "offset")],
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module.params))
    except PushError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
