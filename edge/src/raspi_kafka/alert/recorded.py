"""Recorded data: records of Kafka as JSON lines.

{"topic": "telemetry", "partition": 0, "offset": 7, "timestamp": 1767225600000, "key": "pi", "headers": {}, "value": ""}

`timestamp` is when Kafka appended it, milliseconds since 1970. `value` and those of `headers` are text, or
{"base64": "..."} where bytes are no UTF-8. `key`, `headers` and `value` may be left out.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from .record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

BASE64 = "base64"
NUMBERS = ("partition", "offset", "timestamp")
KEYS = {"topic", *NUMBERS, "key", "headers", "value"}


class RecordedError(Exception):
    """A sentence: which file or line is no recorded data, and why."""


def read(path: Path) -> Iterator[Record]:
    """Yield the records of a file in its order.

    :raises RecordedError: it can't be read, or a line is no record, or one that was there before.
    """
    try:
        with path.open("rb") as file:
            yield from numbered(path, file)
    except OSError as wrong:
        raise RecordedError(f"{path}: it can't be read: {wrong.strerror}; name a file that is there") from wrong


def numbered(path: Path, lines: Iterable[bytes]) -> Iterator[Record]:
    """Yield the records of lines."""
    seen: dict[tuple[str, int, int], int] = {}
    for number, line in enumerate(lines, 1):
        try:
            record = parse(line)
        except (ValueError, RecursionError) as wrong:
            raise RecordedError(f"{path}:{number}: it is no record: {wrong}") from wrong
        before = seen.setdefault(record[:3], number)
        if before != number:
            raise RecordedError(f"{path}:{number}: line {before} has the same topic, partition and offset")
        yield record


def parse(line: bytes) -> Record:
    """Return the record of a line.

    :raises ValueError: it is none.
    """
    said = json.loads(line)
    if not isinstance(said, dict):
        raise ValueError("it is no JSON object")
    if unknown := said.keys() - KEYS:
        raise ValueError(f"there is no key `{min(unknown)}`; known are {', '.join(sorted(KEYS))}")
    for name in NUMBERS:
        if not isinstance(said.get(name), int) or isinstance(said[name], bool) or said[name] < 0:
            raise ValueError(f"`{name}` has to be a whole number from 0")
    for name, kind, what in (("topic", str, "a text"), ("key", str, "a text"), ("headers", dict, "a JSON object")):
        if not isinstance(said.get(name, kind()), kind):
            raise ValueError(f"`{name}` has to be {what}")
    if not said.get("topic"):
        raise ValueError("it has no `topic`")
    return Record(
        *(said[name] for name in ("topic", *NUMBERS)),
        key=said.get("key", ""),
        value=decoded(said.get("value", ""), "value"),
        headers=[(name, decoded(value, f"headers.{name}")) for name, value in said.get("headers", {}).items()],
    )


def decoded(said: Any, name: str) -> bytes:
    """Return the bytes of a text, or of {"base64": TEXT}."""
    if isinstance(said, str):
        return said.encode()
    if isinstance(said, dict) and said.keys() == {BASE64} and isinstance(said[BASE64], str):
        try:
            return base64.b64decode(said[BASE64], validate=True)
        except ValueError as wrong:
            raise ValueError(f"`{name}` is no base64: {wrong}") from wrong
    raise ValueError(f'`{name}` has to be a text, or {{"{BASE64}": "..."}}')


def line_of(record: Record) -> str:
    """Return the line of a record, without its end."""
    said = {
        **dict(zip(("topic", *NUMBERS, "key"), record[:5], strict=True)),
        "headers": {name: encoded(value or b"") for name, value in record.headers or ()},
        "value": encoded(record.value),
    }
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))


def encoded(value: bytes) -> str | dict[str, str]:
    """Return bytes as text, or as base64 if they are none."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {BASE64: base64.b64encode(value).decode()}
