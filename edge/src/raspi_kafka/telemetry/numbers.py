"""Numbers of messages, which go on over restarts and are never used twice.

The state directory is on the disk, the runtime directory in memory, which survives a process and no reboot. So numbers
are noted in memory each time, and on the disk a block ahead: after a power cut numbers go on behind that block, and the
gap says that something is lost.
"""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING, NamedTuple

from .. import durable

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

# With a message a second an hour of them: so often is the disk written while all is well.
BLOCK = 3600
NAME = "numbers"
LINE = b"%020d %020d\n"


class Noted(NamedTuple):
    """What a file says.

    :ivar following: the next number that is free.
    :ivar acknowledged: up to which number the server has all; -1 if nothing is known of that.
    """

    following: int
    acknowledged: int


class Numbers:
    """Gives numbers.

    :param state: folder on the disk; None keeps nothing beyond a reboot.
    :param runtime: folder in memory; None keeps nothing beyond the process.
    :ivar acknowledged: as of Noted.
    """

    def __init__(self, state: Path | None, runtime: Path | None) -> None:
        self._state = state
        kept = read(state / NAME) if state else None
        noted = (read(runtime / NAME) if runtime else None) or kept
        # A Pi whose card is new goes on, too: with its clock, which in milliseconds is ahead of ten numbers a second,
        # and of a block more after each power cut.
        self._following = noted.following if noted else time.time_ns() // 1_000_000
        self.acknowledged = max(kept.acknowledged if kept else -1, noted.acknowledged if noted else -1)
        self._reserved = 0
        self._told = False
        # Written in place and at once: a process that is killed leaves the old or the new line.
        self._memory = os.open(runtime / NAME, os.O_WRONLY | os.O_CREAT, 0o640) if runtime else None

    def skip_to(self, number: int) -> None:
        """Give no number below this one."""
        self._following = max(self._following, number)

    def take(self) -> int:
        """Return the next number."""
        if self._following >= self._reserved:
            self._reserve()
        number = self._following
        self._following = number + 1
        self._note()
        return number

    def acknowledge(self, number: int) -> None:
        """The server has all up to this number."""
        self.acknowledged = number
        self._note()

    def keep(self) -> None:
        """Write the next number itself, at the end."""
        self._write(self._following)

    def _reserve(self) -> None:
        self._reserved = self._following + BLOCK
        self._write(self._reserved)

    def _write(self, following: int) -> None:
        if self._state is None:
            return
        try:
            write(self._state / NAME, Noted(following, self.acknowledged))
        except OSError as wrong:
            self._reserved = 0  # so that it is tried again
            if not self._told:
                log.error("%s can't be written, so numbers may be used twice: %s", self._state / NAME, wrong.strerror)
            self._told = True
        else:
            self._told = False

    def _note(self) -> None:
        if self._memory is not None:
            os.pwrite(self._memory, LINE % (self._following, self.acknowledged), 0)


def read(path: Path) -> Noted | None:
    """Return what a file says; None if it is not there or not whole."""
    try:
        text = path.read_text(encoding="ascii")
        following, acknowledged = map(int, text.split())
    except (OSError, ValueError):
        return None
    return Noted(following, acknowledged) if text.endswith("\n") else None


def write(path: Path, noted: Noted) -> None:
    """Write it; a power cut leaves the old or the new content.

    :raises OSError: the folder can't be written.
    """
    durable.write(path, LINE % noted)
    durable.sync_folder(path.parent)
