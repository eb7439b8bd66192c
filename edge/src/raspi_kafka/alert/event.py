"""What a record says: its payload, and the time that its device gives."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

from .record import header

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .device import Device
    from .record import Headers, Record

TIME_FIELDS = ("timestamp", "time", "ts", "ts_ms", "ts_ns")
# The bridge makes it of the MQTT user property `time`.
TIME_HEADER = "mqtt.time"
DECODE = json.JSONDecoder().decode
# A number counts seconds, milliseconds, microseconds or nanoseconds since 1970: below each of these it is the earlier.
# Between 1973 and the year 5138 no two units can be confused.
SECONDS_BELOW, MILLISECONDS_BELOW, MICROSECONDS_BELOW, NANOSECONDS_BELOW = 1e11, 1e14, 1e17, 1e20
LARGEST = 1e308
# Until Python 3.11 fromisoformat() knows neither Z nor fractions of any length.
ISO = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d+))?(?:(Z)|([+-]\d\d):?(\d\d)?)?", re.IGNORECASE)


class Event(NamedTuple):
    """A record as watches judge it.

    :ivar payload: of its JSON object; empty if it is none, or if nobody asks for it.
    :ivar said_ms: the time that the device gives; None if it gives none.
    :ivar at_ms: when it happened, by whichever time is to be believed; None if it arrives too late to be judged by it.
    """

    record: Record
    device: Device | None
    payload: dict[str, Any]
    said_ms: int | None
    at_ms: int | None


def payload_of(value: bytes) -> dict[str, Any]:
    """Return the JSON object of a value; an empty one if it is none."""
    try:
        said = DECODE(value.decode())
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def number(payload: dict[str, Any], path: Sequence[str]) -> float | None:
    """Return the number at a path of keys; None if there is none: NaN and texts are no numbers.

    What is true is 1 and what is false is 0, so that rules can judge a contact or a bit.
    """
    value: Any = payload
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    kind = type(value)
    if (kind is float or kind is int) and -LARGEST < value < LARGEST:
        return value
    return int(value) if kind is bool else None


def said_ms(payload: dict[str, Any], headers: Headers | None, fields: Sequence[str]) -> int | None:
    """Return the time that a device gives, milliseconds since 1970: of the first field that has one, or the header."""
    for name in fields:
        said = payload.get(name)
        if said is not None:
            found = milliseconds(said)
            if found is not None:
                return found
    text = header(headers, TIME_HEADER)
    return milliseconds(text) if text else None


def milliseconds(said: Any) -> int | None:
    """Return the milliseconds since 1970 of a number or an ISO 8601 text; None if it is neither.

    A text without a zone is UTC.
    """
    kind = type(said)
    if kind is str:
        return of_text(said)
    if (kind is not int and kind is not float) or not 0 <= said < NANOSECONDS_BELOW:
        return None
    if said < SECONDS_BELOW:
        return int(said * 1000)
    if said < MILLISECONDS_BELOW:
        return int(said)
    return int(said // 1000 if said < MICROSECONDS_BELOW else said // 1_000_000)


def of_text(said: str) -> int | None:
    """Return the milliseconds since 1970 of a text."""
    try:
        return milliseconds(float(said))
    except ValueError:
        found = ISO.fullmatch(said.strip())
    if not found:
        return None
    day, clock, fraction, _utc, hours, minutes = found.groups()
    zone = f"{hours}:{minutes or '00'}" if hours else "+00:00"
    try:
        at = datetime.fromisoformat(f"{day}T{clock}{zone}")
    except ValueError:  # the 30th of February
        return None
    return int(at.timestamp()) * 1000 + int((fraction or "0")[:3].ljust(3, "0"))


def iso(at_ms: int) -> str:
    """Return a time in UTC as ISO 8601."""
    return datetime.fromtimestamp(at_ms / 1000, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
