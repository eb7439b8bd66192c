"""Messages of simulated devices, as consumers get them."""

from __future__ import annotations

import functools
import json
import re
from typing import TYPE_CHECKING

from raspi_kafka.alert.record import header

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message

BATCH = 5000
MQTT_TOPIC = "mqtt.topic"  # the header of what the bridge has brought
OF_NOBODY = re.compile(r"sim-[0-9]{5}$|raspi-kafka-")  # simulated devices of any run, and this collection's own


def arrived(consumer: Consumer, seconds: float) -> list[Message]:
    """Return the messages that are there, or wait for the first: consume() alone waits until a batch is full."""
    first = consumer.poll(seconds)
    return [first, *consumer.consume(BATCH, 0)] if first else []


def sent_by(message: Message, run: str) -> tuple[str, int] | None:
    """Return which device sent a message of this stage, and which of its messages it is; None for any other."""
    number = number_of(message.value(), run)
    return None if number is None or not message.key() else (message.key().decode(), number)


def number_of(value: bytes | None, run: str) -> int | None:
    """Return which message of its device a record is; None if it is none of a simulated device in this run.

    :param run: what the simulator was given as --run. A message that comes late, after its run, has the names and
        numbers of the next one.
    """
    found = pattern(run).search(value or b"")
    return int(found[1]) if found else None


def real(message: Message) -> tuple[str, int | None] | None:
    """Return the real device that sent a message by MQTT, and the number that it gives it; None for any other."""
    device = (message.key() or b"").decode(errors="replace")
    if not device or OF_NOBODY.match(device) or not header(message.headers(), MQTT_TOPIC):
        return None
    try:
        said = json.loads(message.value() or b"")
    except (ValueError, RecursionError):
        return device, None
    number = said.get("seq") if isinstance(said, dict) else None
    numbered = isinstance(number, int) and not isinstance(number, bool) and number >= 0
    return device, number if numbered else None


@functools.cache
def pattern(run: str) -> re.Pattern[bytes]:
    """Return what finds the number in a payload; one that is cut is no JSON, and has number and run all the same."""
    return re.compile(rb'"seq": ?(\d+), ?"run": ?"%b"' % re.escape(run).encode())
