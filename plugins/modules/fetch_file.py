#!/usr/bin/python
# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: fetch_file
short_description: Download a file with a known sha512, and go on where an earlier download broke off
version_added: 0.2.0
description:
  - Downloads into a file with the suffix C(.part) beside the target, which gets its name once its sha512 is right.
  - A download that was interrupted goes on with the next run (Range, RFC 9110), where the server can do that.
  - A download of over 15 s prints every 15 s how far it is.
author:
  - raspi.kafka contributors (@raspi-kafka)
options:
  url:
    description: Where it is.
    type: str
    required: true
  dest:
    description: Where it goes. Its folder must exist.
    type: path
    required: true
  sha512:
    description: Its sha512 in hexadecimal digits. A file at O(dest) with another one is replaced.
    type: str
    required: true
  limit:
    description: Seconds that the download may take.
    type: int
    default: 7200
  again:
    description: Set by the action plugin from its second call on.
    type: bool
    default: false
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Returns details on what has changed (or possibly needs changing in check mode).
    support: none
seealso:
  - module: ansible.builtin.get_url
"""

EXAMPLES = r"""
- name: Download the release
  raspi.kafka.fetch_file:
    url: https://archive.apache.org/dist/kafka/4.1.1/kafka_2.13-4.1.1.tgz
    dest: /home/me/kafka_2.13-4.1.1.tgz
    sha512: "{{ lookup('ansible.builtin.file', 'kafka.sha512') }}"
  delegate_to: localhost
"""

RETURN = r"""
done:
  description: Whether all of it is there.
  type: bool
  returned: success
waits_for:
  description: How far it is.
  type: str
  returned: success
  sample: kafka_2.13-4.1.1.tgz is downloaded, 56 of 126 MB
"""

import hashlib
import os
import time
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url

_SLICE_SECONDS = 15
_BLOCK = 1 << 18
_MB = 1_000_000


class FetchError(Exception):
    """A sentence for the user: what could not be had, and why."""


def sha512_of(path: str) -> str:
    """A file's sum; empty where there is none."""
    if not os.path.exists(path):
        return ""
    digest = hashlib.sha512()
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def size_of(path: str) -> int:
    return os.path.getsize(path) if os.path.exists(path) else 0


def total_of(status: int, headers: Any, offset: int) -> int:
    """The file's size in bytes by an answer's headers, 0 where it does not say."""
    length = int(headers.get("Content-Length") or 0)
    return length + offset if status == 206 and length else length


def download(url: str, part: str, seconds: float) -> tuple[bool, int]:
    """Append to `part` for a slice of time; returns whether the server has no more, and the size it announced.

    :raises FetchError: the server has refused, or cannot be reached.
    """
    offset = size_of(part)
    headers = {"Range": f"bytes={offset}-"} if offset else {}
    try:
        answer = open_url(url, headers=headers, timeout=30, decompress=False)
    except HTTPError as error:
        if error.code == 416 and offset:  # nothing is left of it
            return True, offset
        raise FetchError(f"the server says {error.code} {error.reason}.") from error
    except (OSError, ValueError, HTTPException) as error:
        raise FetchError(f"{getattr(error, 'reason', error)}.") from error
    status = answer.getcode() or 200
    if offset and status != 206:
        offset = 0
    total = total_of(status, answer.headers, offset)
    with answer, open(part, "ab" if offset else "wb") as file:
        return copy(answer, file, time.monotonic() + seconds) and size_of(part) >= total, total


def copy(answer: Any, file: Any, deadline: float) -> bool:
    """Copy until the end or the deadline; a connection that breaks off keeps what has come.

    :raises FetchError: it broke before anything came.
    """
    came = 0
    try:
        while time.monotonic() < deadline:
            block = answer.read(_BLOCK)
            if not block:
                file.flush()
                return True
            came += file.write(block)
    except (OSError, HTTPException) as error:
        if not came:
            raise FetchError(f"the connection broke off: {error}.") from error
    file.flush()
    return False


def finish(part: str, dest: str, wanted: str) -> None:
    """Give the file its name.

    :raises FetchError: it is another file than wanted.
    """
    found = sha512_of(part)
    if found != wanted:
        os.unlink(part)
        raise FetchError(f"its sha512 is {found}, wanted is {wanted}.")
    os.replace(part, dest)


def run(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    dest, wanted = params["dest"], params["sha512"].lower()
    part, name = f"{dest}.part", os.path.basename(dest)
    if sha512_of(dest) == wanted:
        return {"changed": params["again"], "done": True, "waits_for": ""}
    if check_mode:
        return {"changed": True, "done": True, "waits_for": ""}
    complete, total = download(params["url"], part, _SLICE_SECONDS)
    if complete:
        finish(part, dest, wanted)
    of = f" of {total / _MB:.0f}" if total else ""
    return {
        "changed": complete,
        "done": complete,
        "waits_for": f"{name} is downloaded, {size_of(part) / _MB:.0f}{of} MB",
        "limit": params["limit"],
        "remedy": "Run the play again: it goes on where it stopped.",
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "dest": {"type": "path", "required": True},
            "sha512": {"type": "str", "required": True},
            "limit": {"type": "int", "default": 7200},
            "again": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module.params, module.check_mode))
    except FetchError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
