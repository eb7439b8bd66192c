"""A command, as a record of Kafka has it and as a device gets it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, NamedTuple

# What the role lets users of Mosquitto be called; no character of it means anything in an MQTT topic.
DEVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
LONGEST_ID = 64
LONGEST_LIFE_MS = 24 * 3600 * 1000
# A device has little memory, and what waits for one that is away lies in that of the gateway.
MOST_BYTES = 65_536
KEYS = {"id", "device", "command", "args", "expires_ms"}


class MisfitError(Exception):
    """A record is no command. The text says why."""


class Place(NamedTuple):
    """Where a record stands."""

    partition: int
    offset: int


@dataclass(frozen=True)
class Command:
    """One command.

    :ivar given_ms: when Kafka has appended it, milliseconds since 1970.
    :ivar expires_ms: from then on no device may get it, milliseconds since 1970.
    :ivar payload: what the device gets.
    """

    device: str
    id: str
    given_ms: int
    expires_ms: int
    payload: bytes


def parse(key: bytes | None, value: bytes | None, given_ms: int, life_ms: int) -> Command:
    """Return the command of a record.

    :param life_ms: after which it expires if it does not say so itself, milliseconds.
    :raises MisfitError: it is none.
    """
    device = device_of(key)
    said = mapping(value)
    if "device" in said and said["device"] != device:
        raise MisfitError(f"the key is `{device}` and `device` is {said['device']!r}; let both name the same device")
    for name, most in (("id", LONGEST_ID), ("command", LONGEST_ID)):
        text = said.get(name)
        if not isinstance(text, str) or not 1 <= len(text) <= most:
            raise MisfitError(f"`{name}` is {text!r}; give it a text of 1 to {most} characters")
    if not WORD.fullmatch(said["command"]):
        raise MisfitError(f"`command` is {said['command']!r}; use letters, digits, `.`, `_` and `-`")
    expires_ms = expiry(said, given_ms, life_ms)
    told = {name: said[name] for name in ("id", "command", "args") if name in said}
    told["expires_ms"] = expires_ms
    return Command(device, said["id"], given_ms, expires_ms, rendered(told))


def rendered(told: dict[str, Any]) -> bytes:
    """Return what a device gets: JSON that any device can read, so no number that only Python has."""
    try:
        return json.dumps(told, separators=(",", ":"), allow_nan=False).encode()
    except (ValueError, RecursionError) as wrong:
        raise MisfitError(
            "`args` has a number that is too large, or is nested too deeply; let its numbers be below 1.8e308"
        ) from wrong


def device_of(key: bytes | None) -> str:
    """Return the device that a key names."""
    text = (key or b"").decode(errors="replace")
    if not DEVICE.fullmatch(text):
        raise MisfitError(
            f"the key is {text[:80]!r}, which no device can be called; let it be the device's name, of 1 to 64 "
            "letters, digits, `.`, `_` and `-`"
        )
    return text


def mapping(value: bytes | None) -> dict[str, Any]:
    """Return what a value says."""
    if len(value or b"") > MOST_BYTES:
        raise MisfitError(f"it has {len(value or b'')} bytes; a command has {MOST_BYTES} at most")
    try:
        said = json.loads(value or b"", parse_constant=refuse)
    except (ValueError, RecursionError) as wrong:
        raise MisfitError(f"the value is no JSON: {wrong or 'it is nested too deeply'}") from wrong
    if not isinstance(said, dict):
        raise MisfitError('the value is no JSON object; write {"id": "1", "command": "ping"}')
    if unknown := said.keys() - KEYS:
        raise MisfitError(f"there is no key {min(unknown)!r}; known are {', '.join(sorted(KEYS))}")
    return said


def expiry(said: dict[str, Any], given_ms: int, life_ms: int) -> int:
    """Return when a command expires."""
    expires_ms = said.get("expires_ms", given_ms + life_ms)
    if not isinstance(expires_ms, int) or isinstance(expires_ms, bool) or expires_ms < 0:
        raise MisfitError(f"`expires_ms` is {expires_ms!r}; give it milliseconds since 1970, as a whole number")
    if expires_ms > given_ms + LONGEST_LIFE_MS:
        raise MisfitError(
            f"`expires_ms` is {expires_ms}, more than a day after the record ({given_ms}); let it be less"
        )
    return expires_ms


def refuse(constant: str) -> None:
    """Refuse what Python's JSON has and no other's."""
    raise ValueError(f"{constant} is none")
