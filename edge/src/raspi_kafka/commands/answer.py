"""What came of a command, as the topic of answers has it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .record import Command

DONE, REFUSED, EXPIRED = "done", "refused", "expired"


class Answer(NamedTuple):
    """An answer.

    :ivar device: by the record's key, which the bridge has from the MQTT topic that this device alone may write.
    """

    device: str
    id: str
    status: str


def parse(key: bytes | None, value: bytes | None) -> Answer:
    """Return the answer of a record.

    :raises ValueError: it is none.
    """
    try:
        said = json.loads(value or b"")
        found = Answer((key or b"").decode(), said["id"], said["status"])
    except (KeyError, TypeError, RecursionError) as wrong:
        raise ValueError(f"no answer: {wrong!r}") from wrong
    if not all(isinstance(each, str) and each for each in found):
        raise ValueError(f"no answer: {found}")
    return found


def expired(command: Command, reason: str) -> bytes:
    """Return what is told of a command that nobody has answered in time."""
    said = {"id": command.id, "device": command.device, "status": EXPIRED, "reason": reason}
    return json.dumps(said, separators=(",", ":")).encode()
