#!/usr/bin/python
# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: fetch_file
short_description: Download a file with a known sha512, and go on where an earlier download broke off
version_added: 0.1.0
description:
  - Downloads into a file with the suffix C(.part) beside the target, which gets its name once its sha512 is right.
  - A download that was interrupted goes on with the next run (Range, RFC 9110), where the server can do that. One that
    breaks off meanwhile is taken up again at once.
  - Where what an earlier run has left turns out not to belong to the file, the download starts over once by itself.
  - Of two runs that want one file the second waits for the first, by a lock on the file C(.part.lock) beside it.
  - A download of over 15 s prints every 15 s how far it is, if it goes to the control node.
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
    description: Set by the action plugin from its second call on; it makes no difference here.
    type: bool
    default: false
extends_documentation_fragment:
  - raspi.kafka._attributes
attributes:
  diff_mode:
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
  description: What is waited for while it is not done.
  type: str
  returned: success
  sample: another run downloads kafka_2.13-4.1.1.tgz
"""

import contextlib
import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any, BinaryIO
from urllib.error import HTTPError

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url

_LOCK_SECONDS = 10
_ANSWER_SECONDS = 30
# Tries in a row that bring nothing; between them 2, 4, 8 and 16 s pass.
_TRIES = 5
_BLOCK = 1 << 18


class FetchError(Exception):
    """A sentence for the user: what could not be had, and why."""


class BrokenError(Exception):
    """The connection failed; another try may go on."""


def sha512_of(path: Path) -> str:
    """A file's sum; empty where there is none."""
    if not path.exists():
        return ""
    digest = hashlib.sha512()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def total_of(status: int, headers: Any, offset: int) -> int:
    """The file's size in bytes by an answer's headers, 0 where it does not say."""
    length = int(headers.get("Content-Length") or 0)
    return length + offset if status == 206 and length else length


def ask(url: str, offset: int) -> Any:
    """Ask a server for a file from an offset on; None if nothing is left of it.

    :raises FetchError: it refused.
    :raises BrokenError: it cannot be reached, or may do it later.
    """
    headers = {"Range": f"bytes={offset}-"} if offset else {}
    try:
        return open_url(url, headers=headers, timeout=_ANSWER_SECONDS, decompress=False)
    except HTTPError as error:
        if error.code == 416 and offset:
            return None
        kind = BrokenError if error.code == 429 or error.code >= 500 else FetchError
        raise kind(f"the server says {error.code} {error.reason}") from error
    except (OSError, HTTPException) as error:
        raise BrokenError(str(getattr(error, "reason", error))) from error
    except ValueError as error:
        raise FetchError(str(error)) from error


def blocks(answer: Any) -> Iterator[bytes]:
    """What comes, as it comes.

    :raises BrokenError: the connection broke off.
    """
    while True:
        try:
            block = answer.read1(_BLOCK)
        except (OSError, HTTPException) as error:
            raise BrokenError(f"the connection broke off: {error}") from error
        if not block:
            return
        yield block


class Fetch:
    """A file on its way into `part`."""

    def __init__(self, url: str, dest: Path, wanted: str, limit: float) -> None:
        self.url, self.dest, self.wanted, self.limit = url, dest, wanted, limit
        self.part = dest.with_name(f"{dest.name}.part")
        self.deadline = time.monotonic() + limit
        # A dictionary for its order: each is said once.
        self.notes: dict[str, None] = {}

    def note(self, text: str) -> None:
        self.notes[text] = None

    def there(self) -> bool:
        return sha512_of(self.dest) == self.wanted

    def run(self, lock: BinaryIO) -> None:
        """Download it, check it and give it its name.

        :raises FetchError: it cannot be had, or is another file than wanted.
        """
        resumed = self.download(lock)
        if resumed and sha512_of(self.part) != self.wanted:
            self.note(f"What was left of an earlier download is no part of {self.dest.name}: it started over.")
            self.part.unlink(missing_ok=True)
            self.download(lock)
        found = sha512_of(self.part)
        if found != self.wanted:
            self.part.unlink(missing_ok=True)
            raise FetchError(f"its sha512 is {found}, wanted is {self.wanted}")
        written(self.part)
        self.part.replace(self.dest)
        written(self.dest.parent)

    def download(self, lock: BinaryIO) -> bool:
        """Try until the server has no more; returns whether what is there now came in more than one try.

        :raises FetchError: nothing came in this run, or several times in a row.
        """
        began = most = size_of(self.part)
        resumed, fruitless = began > 0, 0
        while True:
            try:
                if self.attempt(lock):
                    return resumed
                why = "the connection broke off"
            except BrokenError as error:
                why = str(error)
            size = size_of(self.part)
            resumed, fruitless, most = resumed or size > 0, 0 if size > most else fruitless + 1, max(size, most)
            if fruitless and (most == began or fruitless == _TRIES):
                raise FetchError(why)
            self.pause(2**fruitless)

    def attempt(self, lock: BinaryIO) -> bool:
        """Append what one connection brings; returns whether that was all.

        :raises BrokenError: it brought nothing, or broke off.
        """
        offset = size_of(self.part)
        answer = ask(self.url, offset)
        if answer is None:
            return True
        status = answer.getcode() or 200
        if offset and status != 206:
            self.note("The server cannot go on where a download stopped: it came from the beginning.")
            offset = 0
        total = total_of(status, answer.headers, offset)
        announce(lock, total)
        with answer, self.part.open("ab" if offset else "wb") as file:
            for block in blocks(answer):
                file.write(block)
                self.in_time()
        return size_of(self.part) >= total

    def pause(self, seconds: float) -> None:
        self.in_time()
        time.sleep(seconds)

    def in_time(self) -> None:
        """:raises FetchError: the time is over."""
        if time.monotonic() > self.deadline:
            raise FetchError(f"{self.limit:.0f} s were not enough; run the play again, it goes on where it stopped")


def written(path: Path) -> None:
    """Have a file or a folder on the disk before the next step, which a power cut must not leave alone."""
    place = os.open(path, os.O_RDONLY)
    try:
        os.fsync(place)
    finally:
        os.close(place)


def announce(lock: BinaryIO, total: int) -> None:
    """Leave the file's size in the lock for the action plugin, which tells how far it is."""
    lock.seek(0)
    lock.truncate()
    lock.write(str(total).encode())
    lock.flush()


@contextlib.contextmanager
def locked(path: Path, seconds: float) -> Iterator[BinaryIO | None]:
    """Have the lock of a download; None if another program keeps it so long."""
    deadline = time.monotonic() + seconds
    with path.open("ab") as file:
        while not (own := taken(file)) and time.monotonic() < deadline:
            time.sleep(0.2)
        yield file if own else None


def taken(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def run(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    fetch = Fetch(params["url"], Path(params["dest"]), params["sha512"].lower(), params["limit"])
    there = fetch.there()
    if there or check_mode:
        return {"changed": not there, "done": True, "waits_for": "", "notes": []}
    try:
        with locked(fetch.part.with_name(f"{fetch.part.name}.lock"), _LOCK_SECONDS) as lock:
            # Whoever had the lock before may have fetched it.
            missing = not fetch.there()
            if missing and lock:
                fetch.run(lock)
    except FetchError as error:
        raise FetchError(" ".join([f"{error}.", *fetch.notes])) from error
    except OSError as error:
        raise FetchError(
            f"cannot write {error.filename or fetch.part} on the control node: {error.strerror}."
        ) from error
    return {
        "changed": missing,
        "done": lock is not None or not missing,
        "waits_for": f"another run downloads {fetch.dest.name}",
        "limit": params["limit"],
        "remedy": "Let it end, or look what it does: ps -ef. Then run the play again.",
        "notes": list(fetch.notes),
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
        result = run(module.params, module.check_mode)
    except FetchError as error:
        module.fail_json(msg=str(error))
    for note in result.pop("notes"):
        module.warn(note)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
