"""Gives a device a command, and waits for its answer."""

from __future__ import annotations

import contextlib
import json
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

from confluent_kafka import KafkaException, TopicPartition

from .. import kafka_log
from . import record
from .answer import parse
from .service import GRACE_S, SPREAD_S
from .topics import ANSWERS, COMMANDS
from .writer import Said, Writer

if TYPE_CHECKING:
    from confluent_kafka import Consumer

# A gateway tells that a command has expired so long after it, and some more for its way.
LATER_S = GRACE_S + SPREAD_S + 10.0
SECONDS_TO_WRITE = 20.0


class SendError(Exception):
    """A sentence: what can't be done, where, why, and what to do."""


class Wanted(NamedTuple):
    """What to send.

    :ivar args: any JSON; None for none.
    :ivar id: "" for a new one.
    """

    device: str
    command: str
    args: Any
    life_s: float
    id: str = ""


class Sent(NamedTuple):
    """A command that is in Kafka, or is about to be."""

    device: str
    id: str
    expires_ms: int
    value: bytes


def prepared(wanted: Wanted) -> Sent:
    """Return the record of a command.

    :raises MisfitError: it is none.
    """
    now_ms = time.time_ns() // 1_000_000
    said = {"id": wanted.id or uuid.uuid4().hex, "command": wanted.command}
    if wanted.args is not None:
        said["args"] = wanted.args
    said["expires_ms"] = now_ms + int(wanted.life_s * 1000)
    value = json.dumps(said).encode()
    command = record.parse(wanted.device.encode(), value, now_ms, record.LONGEST_LIFE_MS)
    return Sent(command.device, command.id, command.expires_ms, value)


def send(servers: tuple[str, ...], sent: Sent) -> dict[str, Any] | None:
    """Give the command to Kafka, and return its answer; None if none came until after it expired.

    :raises SendError: Kafka does not take it, or does not give answers.
    """
    try:
        with contextlib.closing(kafka_log.reader(servers, **{"client.id": "raspi-kafka-commands-send"})) as consumer:
            places = ends(consumer, servers)  # before the answer can be there
            consumer.assign(places)
            write(servers, sent)
            return answered(consumer, sent)
    except KafkaException as failed:
        raise SendError(
            f"Kafka at {', '.join(servers)} does not answer: {failed.args[0].str()}. Look whether it runs, and whether "
            "its advertised address can be reached from here."
        ) from failed


def ends(consumer: Consumer, servers: tuple[str, ...]) -> list[TopicPartition]:
    """Return where the topic of answers ends now."""
    found = {topic: kafka_log.partitions(consumer, topic) for topic in (COMMANDS, ANSWERS)}
    for topic, partitions in found.items():
        if not partitions:
            raise SendError(f"Kafka at {', '.join(servers)} has no topic {topic}. Deploy the gateway first.")
    return [TopicPartition(ANSWERS, each, kafka_log.end(consumer, ANSWERS, each)) for each in found[ANSWERS]]


def write(servers: tuple[str, ...], sent: Sent) -> None:
    """Return once Kafka has the command."""
    there = threading.Event()
    problems: list[str] = []
    writer = Writer(servers, lambda error: problems.append(error.str()))
    writer.write(Said(COMMANDS, sent.device.encode(), sent.value, [], there.set))
    writer.flush(SECONDS_TO_WRITE)
    if not there.is_set():
        why = problems[-1] if problems else "it does not answer"
        raise SendError(
            f"Kafka at {', '.join(servers)} has not taken the command within {SECONDS_TO_WRITE:.0f} s: {why}. It may "
            f"take it yet; it expires at {stamp(sent.expires_ms)}."
        )


def answered(consumer: Consumer, sent: Sent) -> dict[str, Any] | None:
    """Return the first answer to a command."""
    while time.time() < sent.expires_ms / 1000 + LATER_S:
        message = consumer.poll(1.0)
        if message is None or message.error() is not None:
            continue
        try:
            found = parse(message.key(), message.value())
        except ValueError:
            continue
        if (found.device, found.id) == (sent.device, sent.id):
            return json.loads(message.value())
    return None


def stamp(ms: int) -> str:
    """Return a time for people."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(ms / 1000))
