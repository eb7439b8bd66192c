"""A consumer group of the load test: a process of its own, which notes when each message came."""

from __future__ import annotations

import json
import math
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from confluent_kafka import Consumer, TopicPartition

from .message import arrived, sent_by

if TYPE_CHECKING:
    from collections.abc import Iterable
    from multiprocessing.sharedctypes import Synchronized, SynchronizedArray
    from multiprocessing.synchronize import Event

    from confluent_kafka import Message

WAIT_S = 0.1


class Job(NamedTuple):
    """What a consumer has to do.

    :ivar run: what messages of this stage say that they are of.
    :ivar starts: topic, partition and offset of the first record, for each partition of one topic.
    :ivar pause: how many seconds after its first message it stops to read, and for how many; its partitions are paused,
        and it stays a member of its group. None: it reads all the time.
    :ivar out: where what came is written in the end.
    """

    servers: str
    group: str
    run: str
    starts: list[tuple[str, int, int]]
    pause: tuple[float, float] | None
    out: Path


class Shared(NamedTuple):
    """What the load test sees of it while it runs.

    :ivar assigned: set once it is a member of its group.
    :ivar positions: the offset of the next record, of each partition in the order of the job's.
    :ivar seen: records of simulated devices so far.
    """

    assigned: Event
    positions: SynchronizedArray[int]
    seen: Synchronized[int]


class Notes:
    """What came; times are milliseconds since 1970.

    :ivar came: device -> pairs of number and time, in the order of consumption.
    :ivar first: when the first message came; infinite before.
    """

    def __init__(self, run: str, shared: Shared, places: dict[int, int]) -> None:
        """Take the place of each partition in the shared positions."""
        self._run = run
        self.came: dict[str, list[tuple[int, float]]] = {}
        self.first = math.inf
        self._shared = shared
        self._places = places

    def take(self, messages: Iterable[Message], now: float) -> None:
        """Note messages that came at once; those of real devices are nobody's business here."""
        for message in messages:
            if message.error():
                continue
            self._shared.positions[self._places[message.partition()]] = message.offset() + 1
            if sent := sent_by(message, self._run):
                device, number = sent
                self.first = min(self.first, now)
                self._shared.seen.value += 1
                self.came.setdefault(device, []).append((number, round(now, 3)))


def run(job: Job, shared: Shared) -> None:
    """Be the process: consume until SIGTERM, and write what came."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the load test's, which ends its consumers in their turn
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: ended.append(number))
    partitions = [(topic, partition) for topic, partition, _offset in job.starts]

    def assign(member: Consumer, _partitions: list[TopicPartition]) -> None:
        # Of the only member all, and from where it was: a group that a broker's restart has scattered begins again.
        places = zip(partitions, shared.positions, strict=True)
        member.assign([TopicPartition(*place, offset) for place, offset in places])
        shared.assigned.set()

    consumer = Consumer(settings(job))
    consumer.subscribe([partitions[0][0]], on_assign=assign)
    notes = Notes(job.run, shared, {partition: number for number, (_topic, partition) in enumerate(partitions)})
    try:
        consume(consumer, job, notes, ended)
    finally:
        consumer.close()
    job.out.write_text(json.dumps(notes.came), encoding="utf-8")


def consume(consumer: Consumer, job: Job, notes: Notes, ended: list[int]) -> None:
    """Read until it is told to end."""
    resting = False
    while not ended:
        messages = arrived(consumer, WAIT_S)
        now = time.time_ns() / 1e6
        notes.take(messages, now)
        before, resting = resting, rests(job.pause, (now - notes.first) / 1000)
        if resting:
            consumer.pause(consumer.assignment())  # each time, since it may have been assigned anew
        elif before:
            consumer.resume(consumer.assignment())


def rests(pause: tuple[float, float] | None, seconds: float) -> bool:
    """Whether the pause holds so many seconds after the first message."""
    return pause is not None and pause[0] <= seconds < pause[0] + pause[1]


def settings(job: Job) -> dict[str, Any]:
    """Return the settings of a consumer that begins where it is told."""
    return {
        "bootstrap.servers": job.servers,
        "group.id": job.group,
        "client.id": job.group,
        "auto.offset.reset": "error",
        "session.timeout.ms": 10_000,
        "log.connection.close": False,
    }
