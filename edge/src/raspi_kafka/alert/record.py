"""A record of Kafka, as rules see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from confluent_kafka import Message

    Headers = Sequence[tuple[str, bytes | None]]


class Record(NamedTuple):
    """One record.

    :ivar append_ms: when Kafka appended it, milliseconds since 1970.
    :ivar key: the device; "" if it has none.
    """

    topic: str
    partition: int
    offset: int
    append_ms: int
    key: str
    value: bytes
    headers: Headers | None = None


def header(headers: Headers | None, name: str) -> str:
    """Return the first header of a name that has a value, as text; "" if there is none."""
    for each, value in headers or ():
        if each == name and value:
            return value.decode(errors="replace")
    return ""


def record_of(message: Message) -> Record:
    """Return the record of a message that is no error; its topic has LogAppendTime."""
    key, (_kind, stamp) = message.key() or b"", message.timestamp()
    place = message.topic(), message.partition(), message.offset()
    return Record(*place, stamp, key.decode(errors="backslashreplace"), message.value() or b"", message.headers())
