"""State as it is stored: what is known of a device or a rule, each under a key of its own."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
DEVICE, RULE = "device", "rule"


class StateError(Exception):
    """A sentence: which record of the state is of no use, and what to do."""

    def __init__(self, key: str, wrong: Exception) -> None:
        super().__init__(
            f"The state under the key {key} is none: {wrong!r}. Remove that record, and what it knew is found anew."
        )


class Stored(NamedTuple):
    """All that was stored.

    :ivar devices: of a topic and a device.
    :ivar rules: of the name of a rule.
    """

    devices: dict[tuple[str, str], dict[str, Any]]
    rules: dict[str, dict[str, Any]]

    @property
    def newest_ms(self) -> int:
        """When the newest record of all was appended."""
        return max((said["last"][2] for said in self.devices.values()), default=0)

    def about(self, rule: str) -> str | None:
        """Return what a rule measured; None if there was none."""
        return self.rules[rule]["about"] if rule in self.rules else None

    def take(self, key: str, value: bytes) -> None:
        """Take a record.

        :raises StateError: it is none.
        """
        with reading(key):
            said = json.loads(value)
            kind, _slash, name = key.partition("/")
            if kind == RULE:
                _needed = said["about"], said["fleet"]
                self.rules[name] = said
            elif kind == DEVICE:
                topic, device = name.split("/", 1)
                _partition, _offset, _last_ms = said["last"]
                self.devices[topic, device] = said
            else:
                raise ValueError(f"it begins with neither {DEVICE}/ nor {RULE}/")


@contextlib.contextmanager
def reading(key: str) -> Iterator[None]:
    """Tell which record of the state is of no use.

    :raises StateError: for what goes wrong within.
    """
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError) as wrong:
        raise StateError(key, wrong) from wrong


def device_key(topic: str, device: str) -> str:
    """Return the key of a device; a topic has no slash."""
    return f"{DEVICE}/{topic}/{device}"


def rule_key(name: str) -> str:
    """Return the key of a rule."""
    return f"{RULE}/{name}"


def encoded(said: dict[str, Any]) -> bytes:
    """Return the value of a record."""
    return ENCODE(said).encode()
