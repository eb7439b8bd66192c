"""Commands: takes each from Kafka to the MQTT server, and holds it until it is answered or has expired."""

from __future__ import annotations

import contextlib
import logging
import random
import signal
import time
from functools import partial
from typing import TYPE_CHECKING

from .. import metrics, systemd
from ..errors import RefusedError, UnreachableError
from ..kafka_client import Outage
from ..mqtt_publisher import NO_MATCHING_SUBSCRIBERS
from . import answer, record
from .answered import Answered
from .commands_metrics import CommandsCollector
from .counters import Counters
from .once import Once
from .progress import Progress
from .queues import PAUSE_S, Queues
from .reader import Reader
from .record import MisfitError, Place
from .topics import ANSWERS, COMMANDS, to_device
from .writer import Said, Writer, headers

if TYPE_CHECKING:
    from collections.abc import Callable

    from confluent_kafka import Message

    from ..mqtt_publisher import Connection, Publisher
    from .config import Config
    from .queues import Entry
    from .record import Command

log = logging.getLogger(__name__)

GROUP = "raspi-kafka-commands"
POLL_S = 0.2
# While something is under way that Kafka is about to have.
HURRY_S = 0.01
# Handing over does not keep the loop longer than that from anything else.
TURN_S = 1.0
# After which an answer that was given in time is in Kafka; then the gateways tell it one after the other, so that those
# behind the first see that it was told.
GRACE_S = 5.0
SPREAD_S = 5.0
LOOK_FOR_EXPIRED_S = 0.5
# Above these no more are read; what is there goes on.
MOST_COMMANDS = 10_000
MOST_BYTES = 16 * 1024 * 1024
SECONDS_TO_FLUSH = 5.0


class Service:
    """One process of it.

    :param publisher: is connected, or will be.
    """

    reader_class = Reader

    def __init__(self, config: Config, publisher: Publisher) -> None:
        self._config = config
        self._publisher = publisher
        self.counters = Counters()
        self._answered = Answered()
        self._unreadable, self._refusals = Once(), Once()
        self._progress = Progress()
        self._queues = Queues(self._answered, self.counters, self._progress.finish)
        servers = config.bootstrap_servers
        self._outage = Outage(self.counters.errors, "no command is lost by this: it goes on where it was")
        self._reader = self.reader_class(servers, f"{GROUP}-{config.instance}", self._outage.error)
        self._writer = Writer(servers, self._outage.error)
        self._connection: Connection | None = None
        self._grace_ms = int(1000 * (GRACE_S + random.uniform(0, SPREAD_S)))  # noqa: S311 - no secret
        self._look_s = self._again_s = 0.0
        self._stopping = self._ready = self._full = False
        self._mqtt_told = self._status = ""
        self._watchdog = systemd.Watchdog()

    def run(self) -> None:
        """Work until SIGTERM or SIGINT.

        :raises KafkaException: this process can't go on.
        :raises OSError: the port of the metrics is taken.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        metrics.serve(self._config.metrics, CommandsCollector(self.counters, self._queues))
        with contextlib.ExitStack() as closing:
            closing.callback(systemd.notify, "STOPPING=1")
            closing.callback(self._reader.close)
            while not self._stopping:
                self._turn()
            self._writer.flush(SECONDS_TO_FLUSH)
            self._store()

    def _turn(self) -> None:
        self._watchdog.alive()
        for message in self._reader.read(HURRY_S if len(self._writer) else POLL_S):
            self._kafka_well()
            if message.topic() == ANSWERS:
                self._take_answer(message)
            else:
                self._take_command(message)
        self._writer.poll()
        if self._reader.began:
            self._hand_over()
            self._expire()
        self._store()
        self._flow()
        self._tell_status()

    # --- from Kafka

    def _take_command(self, message: Message) -> None:
        place = Place(message.partition(), message.offset())
        self._progress.begin(place)
        self.counters.taken += 1
        try:
            command = record.parse(message.key(), message.value(), message.timestamp()[1], self._config.life_ms)
        except MisfitError as misfit:
            self._dead_letter(message, "COMMAND", str(misfit))
            return
        if command in self._answered:
            self.counters.answered += 1
            self._progress.finish(place)
        elif command.expires_ms > now_ms() and self._queues.full(command.device, now_ms()):
            self._refuse(place, command)
        else:
            self._queues.add(place, command)

    def _take_answer(self, message: Message) -> None:
        try:
            found = answer.parse(message.key(), message.value())
        except ValueError as wrong:
            self._pass_over(message, wrong)
            return
        if self._reader.began:
            self.counters.answers[answer.counted_as(found.status)] += 1
        self._answered.add(found, message.timestamp()[1])
        self._queues.answer(found.device)

    def _pass_over(self, message: Message, why: ValueError) -> None:
        if not self._reader.began:  # an earlier process has told it
            return
        self.counters.unreadable += 1
        if self._unreadable.first(message.key()):
            where = message.partition(), message.offset(), ANSWERS
            log.warning("record %d-%d of %s is passed over, as are others of this device: %s", *where, why)

    # --- to MQTT

    def _hand_over(self) -> None:
        connection = self._publisher.connection
        if connection is None or time.monotonic() < self._again_s:
            return
        if connection is not self._connection:
            self._connection = connection
            self._queues.nothing_handed()
        began_s = time.monotonic()
        for entry in self._queues.due(began_s, now_ms()):
            try:
                self._hand(entry)
            except UnreachableError as wrong:
                self._tell_mqtt(str(wrong))
                self._again_s = time.monotonic() + PAUSE_S
                return
            if self._stopping or time.monotonic() - began_s > TURN_S:
                return
        self._tell_mqtt("")

    def _hand(self, entry: Entry) -> None:
        """Give a command to the MQTT server.

        :raises UnreachableError: it takes none now.
        """
        command = entry.command
        # One second less: Mosquitto counts whole ones, and lets the last one pass.
        life_s = (command.expires_ms - now_ms()) // 1000 - 1
        if life_s < 1:
            return
        try:
            reason = self._publisher.publish(to_device(command.device), command.payload, expiry_s=life_s)
        except RefusedError as refused:  # such as one that is too large for this server
            entry.handed = True
            log.error("command %s to %s waits for its expiry: %s", command.id, command.device, refused)
            return
        entry.handed = reason.value != NO_MATCHING_SUBSCRIBERS
        if entry.handed:
            self.counters.handed_over += 1
        else:
            self.counters.no_session += 1
            self._queues.no_session(command.device, time.monotonic())

    # --- back to Kafka

    def _expire(self) -> None:
        if time.monotonic() < self._look_s:
            return
        self._look_s = time.monotonic() + LOOK_FOR_EXPIRED_S
        if self._outage.problem:
            self._ask_kafka()
            return
        for entry in self._queues.expired(now_ms() - self._grace_ms):
            entry.told = True
            reason = "the device has not answered in time" if entry.handed else "the device had no session in time"
            self._tell(entry.command, answer.EXPIRED, reason, partial(self._told, entry))

    def _refuse(self, place: Place, command: Command) -> None:
        """Tell that too many commands wait for a device, so that those of others do not wait behind this one."""
        if self._refusals.first(command.device.encode()):
            log.error("so many commands wait for %s that more are refused", command.device)
        reason = "too many commands wait for this device"
        self._tell(command, answer.REFUSED, reason, partial(self._refused, place))

    def _refused(self, place: Place) -> None:
        self.counters.refused += 1
        self._progress.finish(place)

    def _tell(self, command: Command, status: str, reason: str, done: Callable[[], None]) -> None:
        said = answer.told(command, status, f"{reason}, says gateway {self._config.instance}")
        marks = headers(mqtt_gateway=self._config.instance)
        self._writer.write(Said(ANSWERS, command.device.encode(), said, marks, done))

    def _told(self, entry: Entry) -> None:
        self.counters.expired += 1
        self._queues.remove(entry)

    def _dead_letter(self, message: Message, error: str, reason: str) -> None:
        self.counters.dead_lettered[error] += 1
        place = Place(message.partition(), message.offset())
        log.warning("record %d-%d of %s is a dead letter: %s", *place, COMMANDS, reason)
        marks = headers(
            kafka_topic=COMMANDS,
            kafka_partition=place.partition,
            kafka_offset=place.offset,
            mqtt_gateway=self._config.instance,
            error=error,
            reason=reason,
        )
        done = partial(self._progress.finish, place)
        self._writer.write(Said(self._config.dead_letter_topic, message.key(), message.value(), marks, done))

    def _store(self) -> None:
        for partition, offset in self._progress.take_changed():
            self._reader.store(partition, offset)

    def _flow(self) -> None:
        """Read no more commands while many wait."""
        full = self._queues.size >= MOST_COMMANDS or self._queues.bytes >= MOST_BYTES
        if full and not self._full:
            log.error("%d commands wait for devices; those behind them wait in Kafka", self._queues.size)
        self._full = full
        self._reader.hold(held=full or len(self._writer) >= MOST_COMMANDS)

    # --- beside the records

    def _tell_status(self) -> None:
        if not self._ready and self._reader.began and self._connection is not None:
            self._ready = True
            systemd.notify("READY=1")
        status = self._outage.problem or self._mqtt_told or "Taking commands from Kafka to MQTT"
        if status != self._status:
            self._status = status
            systemd.notify(f"STATUS={status}")

    def _tell_mqtt(self, problem: str) -> None:
        if problem and problem != self._mqtt_told:
            log.error("%s; commands wait", problem)
        self._mqtt_told = problem

    def _ask_kafka(self) -> None:
        """Look whether Kafka is back where nothing comes from it."""
        if self._reader.answers():
            self._kafka_well()
        else:
            self._look_s = time.monotonic() + GRACE_S

    def _kafka_well(self) -> None:
        if self._outage.over():
            # The answers that have waited for it come first.
            self._look_s = time.monotonic() + GRACE_S
            log.info("Kafka answers again")

    def _stop(self, *_signal: object) -> None:
        self._stopping = True


def now_ms() -> int:
    """Return the time, milliseconds since 1970."""
    return time.time_ns() // 1_000_000
