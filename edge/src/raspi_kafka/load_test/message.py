"""Messages of simulated devices, as consumers get them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message

# A bad payload is cut off somewhere behind the number, so it is no JSON.
_NUMBER = re.compile(rb'"seq": ?(\d+)')
BATCH = 5000


def arrived(consumer: Consumer, seconds: float) -> list[Message]:
    """Return the messages that are there, or wait for the first: consume() alone waits until a batch is full."""
    first = consumer.poll(seconds)
    return [first, *consumer.consume(BATCH, 0)] if first else []


def number_of(value: bytes | None) -> int | None:
    """Return which message of its device a record is; None if it is none of a simulated device."""
    found = _NUMBER.search(value or b"")
    return int(found[1]) if found else None
