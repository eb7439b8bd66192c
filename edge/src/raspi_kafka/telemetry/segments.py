"""Messages on the disk: files in order, each written by appending alone, and removed as a whole.

Own files, and not SQLite: a batch is one append and one fdatasync, without a journal that writes each page twice and
without writing again when messages leave, and what a power cut leaves of a file is read up to where it is whole.
"""

from __future__ import annotations

import contextlib
import logging
import os
from typing import TYPE_CHECKING

from ..durable import sync_folder
from . import message

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .message import Message

log = logging.getLogger(__name__)

# Some five minutes of messages: as many are read into memory at once, and sent again at most after a power cut.
SEGMENT_BYTES = 65536
SUFFIX = ".messages"


class Segments:
    """Files of a folder, the oldest first; the name of each is the number of its first message.

    :param most_bytes: what all of them may take; beyond that the oldest go.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder = folder
        self._most = most_bytes
        self._sizes = {path: path.stat().st_size for path in sorted(folder.glob(f"*{SUFFIX}"))}
        # Never one of a former run, whose end may be damaged.
        self._open: Path | None = None

    @property
    def oldest(self) -> Path | None:
        """The file that is to be sent first."""
        return next(iter(self._sizes), None)

    def __contains__(self, path: Path) -> bool:
        return path in self._sizes

    def last_number(self) -> int:
        """Return the number of the newest message; -1 without any."""
        for path in reversed(self._sizes):
            found = self.read(path)
            if found:
                return found[-1].number
        return -1

    def read(self, path: Path) -> list[Message]:
        """Return the messages of a file; it is written no more."""
        if path == self._open:
            self._open = None
        try:
            found, damaged = message.parse(path.read_bytes())
        except OSError as wrong:
            log.error("the messages in %s are lost: it can't be read: %s", path, wrong.strerror)
            return []
        if damaged:
            log.warning("%s has %d lines that are damaged, as by a power cut; what they were is lost", path, damaged)
        return found

    def add(self, messages: Sequence[Message]) -> None:
        """Append messages, which are on the disk then.

        :raises OSError: they are not.
        """
        data = message.lines(messages)
        path = self._open or self._folder / f"{messages[0].number:020}{SUFFIX}"
        self._append(path, data)
        self._open = path if self._sizes[path] < SEGMENT_BYTES else None
        self._trim()

    def remove(self, path: Path) -> None:
        """Remove a file, of which all messages are where they belong."""
        if path == self._open:
            self._open = None
        self._sizes.pop(path, None)
        with contextlib.suppress(OSError):  # it would be sent once more after the next start
            path.unlink()

    def _append(self, path: Path, data: bytes) -> None:
        before = self._sizes.get(path, 0)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | (0 if before else os.O_TRUNC), 0o640)
        try:
            if os.write(handle, data) != len(data):
                raise OSError(0, "the disk is full")
            os.fdatasync(handle)
            if not before:
                sync_folder(self._folder)
        except OSError:
            # The messages stay in memory, and are not to be there twice.
            with contextlib.suppress(OSError):
                os.ftruncate(handle, before)
            raise
        finally:
            os.close(handle)
        self._sizes[path] = before + len(data)

    def _trim(self) -> None:
        """Drop the oldest files while there is too much; of numbers that follow each other, names tell how many."""
        while len(self._sizes) > 1 and sum(self._sizes.values()) > self._most:
            oldest, following = list(self._sizes)[:2]
            count = int(following.stem) - int(oldest.stem)
            log.warning(
                "what waits takes more than %d MiB: the oldest %d messages, from number %d on, are dropped",
                self._most >> 20,
                count,
                int(oldest.stem),
            )
            self.remove(oldest)
