"""What became of numbered messages: those that senders saw acknowledged, against those that Kafka has."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from kafka.consumer.fetcher import ConsumerRecord

    Message = tuple[str, int]


@dataclass(frozen=True)
class Account:
    """Numbers of messages.

    :ivar lost: acknowledged to the device, and not in Kafka.
    :ivar duplicated: more than once in Kafka.
    :ivar disordered: whose first record stands behind that of a later message of the device.
    """

    acknowledged: int
    stored: int
    lost: int
    duplicated: int
    disordered: int


def account(acknowledged: set[Message], stored: Iterable[Message]) -> Account:
    """Compare; a message may be stored that was not acknowledged."""
    seen: set[Message] = set()
    last: dict[str, int] = defaultdict(lambda: -1)
    duplicated = disordered = 0
    for device, number in stored:
        if (device, number) in seen:
            duplicated += 1
            continue
        seen.add((device, number))
        disordered += number < last[device]
        last[device] = max(last[device], number)
    return Account(len(acknowledged), len(seen), len(acknowledged - seen), duplicated, disordered)


def acknowledged(log: Path) -> set[Message]:
    """Return what a sender saw acknowledged; its last line may be cut if it was killed."""
    lines = log.read_text().splitlines(keepends=True)
    pairs = [line.split() for line in lines if line.endswith("\n")]
    return {(device, int(number)) for device, number in pairs}


def stored(records: Iterable[ConsumerRecord]) -> list[Message]:
    """Return the numbers of messages by their payload."""
    return [(said["device"], said["seq"]) for said in (json.loads(record.value) for record in records)]
