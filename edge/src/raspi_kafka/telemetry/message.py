"""A message, and its line in a file: its number, a CRC-32 of both, its payload."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

LINE = re.compile(rb"(\d+) ([0-9a-f]{8}) (.+)")


class Message(NamedTuple):
    """What is published; the number is in the payload too."""

    number: int
    payload: bytes


def lines(messages: Iterable[Message]) -> bytes:
    """Return what is written of messages."""
    return b"".join(b"%d %08x %b\n" % (number, crc(number, payload), payload) for number, payload in messages)


def parse(data: bytes) -> tuple[list[Message], int]:
    """Return the messages of a file, and how many lines are none: a power cut leaves a part, or zeros, at the end."""
    found, damaged = [], 0
    for line in data.splitlines():
        fields = LINE.fullmatch(line)
        number = int(fields[1]) if fields else 0
        if fields and int(fields[2], 16) == crc(number, fields[3]):
            found.append(Message(number, fields[3]))
        else:
            damaged += 1
    return found, damaged


def crc(number: int, payload: bytes) -> int:
    """Return the check sum of a line."""
    return zlib.crc32(payload, zlib.crc32(b"%d" % number))
