"""The messages that no gateway has acknowledged yet, in flash: a ring of small files that forgets the oldest first.

A file is named by the number of its first message and has a line for each: a checksum, the last number that was
acknowledged and how many were dropped when it was written, and the message. So what is acknowledged costs no write of
its own, and a line that a power cut has torn is known by its checksum.
"""

import os
from binascii import crc32

FIRST = 1


class Ring:
    """Keeps messages by number, over a power cut too.

    :param segment_bytes: a file that has so many gets no more; a flash page is 4096.
    :param segments: files that are kept at most, two or more.
    :ivar next: the number that the next message gets.
    :ivar acked: all up to this number are acknowledged or dropped.
    :ivar dropped: messages that were never acknowledged and had to make room, since the flash was erased last.
    """

    def __init__(self, folder: str, segment_bytes: int = 4096, segments: int = 64) -> None:
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._segments = segments
        try:
            os.mkdir(folder)
        except OSError:
            pass  # it is there
        self._starts = sorted(int(name) for name in os.listdir(folder) if name.isdigit())
        # What was cut while it was written is not written on: the first message after a start begins a file.
        self._size = segment_bytes
        self._place = (0, 0)  # number and offset of the line that is probably read next
        self.next, self.acked, self.dropped = self._recover()
        self._forget_acked()

    def _recover(self) -> tuple[int, int, int]:
        """Return next, acked and dropped as the newest whole line has them."""
        found = self._starts[-1] if self._starts else FIRST
        for start in reversed(self._starts):
            last, number = None, start
            with open(self._path(start), "rb") as file:
                while True:
                    line = parse(file.readline())
                    if not line:
                        break
                    last, number = line, number + 1
            found = max(found, number)
            if last:
                # Of acknowledgements that came after this line the files that are gone tell.
                return found, max(last[0], self._starts[0] - 1), last[1]
        return found, found - 1, 0

    @property
    def waiting(self) -> int:
        """How many messages are kept and not acknowledged."""
        return self.next - 1 - self.acked

    def append(self, messages: list[str]) -> None:
        """Keep messages under the numbers from `next` on; they may be sent once this has returned.

        :raises OSError: the flash takes none; nothing has a number then.
        """
        if self._size >= self._segment_bytes:
            self._begin()
        data = b"".join(line(self.acked, self.dropped, message) for message in messages)
        try:
            with open(self._path(self._starts[-1]), "ab") as file:
                file.write(data)
        except OSError:
            self._size = self._segment_bytes  # its end may be torn
            raise
        self._size += len(data)
        self.next += len(messages)
        # Only now: the line that was just written knows what was dropped.
        self._forget_acked()

    def _begin(self) -> None:
        """Begin a file, and drop the oldest messages if there are too many files."""
        if self._starts and self._starts[-1] == self.next:
            self._starts.pop()  # nothing in it is whole
        with open(self._path(self.next), "wb"):
            pass
        self._starts.append(self.next)
        self._size = 0
        last = self._end(len(self._starts) - 1 - self._segments) - 1 if len(self._starts) > self._segments else 0
        self.dropped += max(0, last - self.acked)
        self.acked = max(last, self.acked)

    def read(self, number: int, count: int) -> list[tuple[int, str]]:
        """Return up to `count` messages from a number on, each with its number.

        What cannot be read any more is counted as dropped; then the first one has a later number.
        """
        number = max(number, self.acked + 1)
        found: list[tuple[int, str]] = []
        while count > len(found) and number < self.next:
            index = self._index(number)
            more = self._read(index, number, count - len(found))
            found += more
            number += len(more)
            if not more:
                end = self._end(index)
                self.dropped += end - number
                number = end
        return found

    def _read(self, index: int, number: int, count: int) -> list[tuple[int, str]]:
        """Return messages of one file."""
        start, end = self._starts[index], self._end(index)
        at, offset = self._place if start <= self._place[0] <= number else (start, 0)
        found: list[tuple[int, str]] = []
        with open(self._path(start), "rb") as file:
            file.seek(offset)
            while at < end and len(found) < count:
                data = file.readline()
                said = parse(data)
                if not said:
                    break
                if at >= number:
                    found.append((at, said[2]))
                at, offset = at + 1, offset + len(data)
        self._place = (at, offset) if at < end else (0, 0)
        return found

    def ack(self, number: int) -> None:
        """Take all up to a number for acknowledged."""
        self.acked = max(self.acked, number)
        self._forget_acked()

    def _forget_acked(self) -> None:
        """Remove files of which all is acknowledged, but the newest: it knows the numbers."""
        while len(self._starts) > 1 and self._end(0) - 1 <= self.acked:
            os.remove(self._path(self._starts.pop(0)))

    def _index(self, number: int) -> int:
        """Return which file has a number."""
        index = len(self._starts) - 1
        while index and self._starts[index] > number:
            index -= 1
        return index

    def _end(self, index: int) -> int:
        """Return the number behind the last one of a file."""
        return self._starts[index + 1] if index + 1 < len(self._starts) else self.next

    def _path(self, start: int) -> str:
        return f"{self._folder}/{start:010}"


def line(acked: int, dropped: int, message: str) -> bytes:
    """Return the line of a message."""
    rest = f"{acked} {dropped} {message}".encode()
    return f"{crc32(rest) & 0xFFFFFFFF:08x} ".encode() + rest + b"\n"


def parse(data: bytes) -> "tuple[int, int, str] | None":
    """Return acked, dropped and the message of a line; None if it is not whole."""
    rest = data[9:-1]
    if data[:9] != f"{crc32(rest) & 0xFFFFFFFF:08x} ".encode():
        return None
    acked, dropped, message = rest.decode().split(" ", 2)
    return int(acked), int(dropped), message
