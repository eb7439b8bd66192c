"""What the MQTT server has not taken yet, in order: the oldest on the disk, the newest in memory.

In memory means twice: in this process, and in a file of the runtime directory, which a killed process leaves and which
wears no card. Only what has waited for some time goes to the disk, many messages at once.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from typing import TYPE_CHECKING

from . import message
from .message import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from io import FileIO
    from pathlib import Path

    from .numbers import Numbers
    from .segments import Segments

log = logging.getLogger(__name__)

# A server that restarts is no reason to write; after that each batch of this span is one write.
AWAY_S = 10.0
BATCH_S = 30.0
# Some hours' worth, for a disk that is full or broken: half a MiB in this process, and as much in its file.
MOST_IN_MEMORY = 3600
NAME = "waiting"


class Buffer:
    """One thread puts messages in, another one takes them out and saves them.

    :param segments: None keeps nothing beyond the runtime directory.
    :param runtime: folder in memory; None keeps nothing beyond the process.
    :ivar dropped: messages that memory has not held, since the start.
    """

    def __init__(self, numbers: Numbers, segments: Segments | None, runtime: Path | None) -> None:
        self._numbers = numbers
        self._segments = segments
        self._lock = threading.Lock()
        self._sending: Path | None = None
        self._head: deque[Message] = deque()
        self._due: float | None = None
        self._told = False
        self.dropped = 0
        self._path = path = runtime / NAME if runtime else None
        found = message.parse(path.read_bytes())[0] if path and path.exists() else []
        on_disk = segments.last_number() if segments else -1
        self._memory = deque(each for each in self._unsent(found) if each.number > on_disk)
        numbers.skip_to(max(on_disk, self._memory[-1].number if self._memory else -1) + 1)
        self._file = path.open("ab", buffering=0) if path else None
        self._rewrite()

    def put(self, make: Callable[[int], bytes]) -> None:
        """Add the message that `make` makes of its number."""
        with self._lock:
            number = self._numbers.take()
            added = Message(number, make(number))
            self._memory.append(added)
            if len(self._memory) > MOST_IN_MEMORY:
                self._memory.popleft()
                self.dropped += 1
                if self.dropped % MOST_IN_MEMORY == 0:  # or the file grew without an end
                    self._rewrite()
                    return
            self._write([added])

    def first(self) -> Message | None:
        """Return the oldest message; None without any."""
        while not self._head and self._segments and self._segments.oldest:
            self._finish()
            self._sending = self._segments.oldest
            if self._sending:
                self._head.extend(self._unsent(self._segments.read(self._sending)))
        if self._head:
            return self._head[0]
        with self._lock:
            return self._memory[0] if self._memory else None

    def remove(self, taken: Message) -> None:
        """Forget the oldest message, which the server has."""
        if self._head:
            self._head.popleft()
            if not self._head:
                self._finish()
        with self._lock:
            self._numbers.acknowledge(taken.number)
            if self._memory and self._memory[0].number == taken.number:
                self._memory.popleft()
                if not self._memory:
                    self._rewrite()

    def save(self, now: float, *, at_once: bool = False) -> None:
        """Write what is in memory to the disk if it has waited for long enough.

        :param now: of a clock that is never set.
        """
        if self._due is None or not self._memory:
            self._due = now + AWAY_S
        if not self._memory or self._segments is None or (now < self._due and not at_once):
            return
        self._due = now + BATCH_S
        with self._lock:
            batch = list(self._memory)
        try:
            self._segments.add(batch)
        except OSError as wrong:
            self._tell(wrong)
            return
        if self._told:
            log.warning("messages are saved to the disk again; %d were dropped since the start", self.dropped)
        self._told = False
        if self._sending and self._sending not in self._segments:
            self._head.clear()  # dropped, to make room
        self._forget(batch[-1].number)

    def close(self, now: float) -> None:
        """Save all, and the next number."""
        self.save(now, at_once=True)
        with self._lock:
            self._numbers.keep()

    def _unsent(self, found: Iterable[Message]) -> Iterable[Message]:
        return (each for each in found if each.number > self._numbers.acknowledged)

    def _finish(self) -> None:
        if self._sending and self._segments:
            self._segments.remove(self._sending)
        self._sending = None

    def _forget(self, number: int) -> None:
        with self._lock:
            while self._memory and self._memory[0].number <= number:
                self._memory.popleft()
            self._rewrite()

    def _rewrite(self) -> None:
        """Write what is in memory to the file, so that a process that is killed leaves the old or the new content."""
        if self._file and not self._memory:
            self._file.truncate(0)
        elif self._file and self._path:
            with contextlib.suppress(OSError):  # memory is short; the file has more than it need have
                new = replaced(self._path, message.lines(self._memory))
                self._file.close()
                self._file = new

    def _write(self, messages: Iterable[Message]) -> None:
        if self._file:
            with contextlib.suppress(OSError):  # memory is short; this process still has them
                self._file.write(message.lines(messages))

    def _tell(self, wrong: OSError) -> None:
        if not self._told:
            log.error(
                "messages can't be saved to the disk (%s); the newest %d wait in memory",
                wrong.strerror or wrong,
                MOST_IN_MEMORY,
            )
        self._told = True


def replaced(path: Path, data: bytes) -> FileIO:
    """Return a file that has this content, and to which more can be appended.

    :raises OSError: it could not be written whole, and is as it was.
    """
    part = path.with_suffix(".part")
    new = part.open("ab", buffering=0)
    try:
        new.truncate(0)
        if new.write(data) != len(data):
            raise OSError(0, "memory is short")
        part.replace(path)
    except OSError:
        new.close()
        raise
    return new
