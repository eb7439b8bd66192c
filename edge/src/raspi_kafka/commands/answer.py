"""What came of a command, as the topic of answers has it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from .record import DEVICE, LONGEST_ID

if TYPE_CHECKING:
    from .record import Command

DONE, REFUSED, EXPIRED = "done", "refused", "expired"
# What any other status is counted as: devices choose the text, and each text would be a time series of Prometheus.
OTHER = "other"


class Answer(NamedTuple):
    """An answer.

    :ivar device: by the record's key, which the bridge has from the MQTT topic that this device alone may write.
    """

    device: str
    id: str
    status: str


def parse(key: bytes | None, value: bytes | None) -> Answer:
    """Return the answer of a record.

    What is remembered of it is bounded: no command has a longer id, or is for a device of another name.

    :raises ValueError: it is none.
    """
    try:
        said = json.loads(value or b"")
        found = Answer((key or b"").decode(), said["id"], said["status"])
    except (KeyError, TypeError, RecursionError) as wrong:
        raise ValueError(f"no answer: {wrong!r}") from wrong
    if not DEVICE.fullmatch(found.device):
        raise ValueError("no answer: its key is no name of a device")
    if not isinstance(found.id, str) or not 1 <= len(found.id) <= LONGEST_ID:
        raise ValueError(f"no answer: `id` is no text of 1 to {LONGEST_ID} characters")
    if not isinstance(found.status, str) or not found.status:
        raise ValueError("no answer: `status` is no text")
    return found


def counted_as(status: str) -> str:
    """Return the status as which an answer is counted."""
    return status if status in (DONE, REFUSED, EXPIRED) else OTHER


def told(command: Command, status: str, reason: str) -> bytes:
    """Return what a gateway tells of a command that its device has not answered."""
    said = {"id": command.id, "device": command.device, "status": status, "reason": reason}
    return json.dumps(said, separators=(",", ":")).encode()
