"""Show a topic's messages as they arrive: `kafka tail [TOPIC] [KEY...]` runs this with kafka-python.

The last few messages come first, then new ones of all partitions, one a line: local time of the message, key, value.
Since when there is none is said after those few, and whenever a minute has passed without one, on stderr.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NoReturn

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

_TOPIC = "telemetry"
_SILENCE_SECONDS = 60.0
_POLL_SECONDS = 1.0
_BOOTSTRAP_MS = 5000
# With a key, the last messages of that key are looked for among so many of each partition.
_LOOK_BACK = 1000
# Without one, at least so many: the end of a transaction takes a place, too, and is no message.
_LOOK_BACK_LEAST = 10
_LONGEST = 2000  # characters of a value
_AWAY = "does not answer; `systemctl status kafka` says why. Waiting for it."
_STARTS = "has its port open and serves no clients yet; `systemctl status kafka` says more. Waiting for it."
_BACK = "is back."


def shown(data: bytes | None) -> str:
    """A key or value as one line of text that no terminal takes for a command; bytes that are no text as hex."""
    if data is None:
        return "null"
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return cut("0x" + data.hex(), len(data))
    if any(not (letter.isprintable() or letter in "\t\r\n") for letter in text):
        return cut("0x" + data.hex(), len(data))
    return cut(text.replace("\t", "\\t").replace("\r", "\\r").replace("\n", "\\n"), len(data))


def cut(text: str, size: int) -> str:
    """The beginning of what is too long to look at; `size` in bytes."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({size} bytes)"


def moment(timestamp_ms: int) -> str:
    """Local date and time to the millisecond; -1 is a message without time (KIP-32)."""
    if timestamp_ms < 0:
        return "no time".ljust(23)
    return datetime.fromtimestamp(timestamp_ms / 1000).isoformat(" ", "milliseconds")


def line(record: Any) -> str:
    """One message, its parts two blanks apart."""
    return f"{moment(record.timestamp)}  {'-' if record.key is None else shown(record.key)}  {shown(record.value)}"


def wanted(record: Any, keys: Iterable[str]) -> bool:
    """Whether a message has one of the keys; without keys, each has."""
    names = list(keys)
    return not names or (record.key is not None and record.key.decode(errors="replace") in names)


def last(records: Iterable[Any], count: int) -> list[Any]:
    """The youngest `count`, oldest first: partitions have no order among each other but time."""
    ordered = sorted(records, key=lambda record: (record.timestamp, record.partition, record.offset))
    return ordered[len(ordered) - min(count, len(ordered)) :]


def silence(since: float | None, now: float, keys: list[str]) -> str:
    """That nothing has come; both in seconds since the epoch, None where nothing was found."""
    if since is None:
        among = f"no message of {' or '.join(keys)} among the last {_LOOK_BACK} of each partition"
        return among if keys else "no message is stored"
    then, seconds = datetime.fromtimestamp(since), max(0, int(now - since))
    form = "%H:%M:%S" if then.date() == datetime.fromtimestamp(now).date() else "%Y-%m-%d %H:%M:%S"
    return f"no message since {then.strftime(form)} ({span(seconds)})"


def span(seconds: int) -> str:
    """A time that has passed, as one says it."""
    minutes = seconds // 60
    if minutes < 1:
        return f"{seconds} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h" if minutes < 2880 else f"{minutes // 1440} days"


def unknown(topic: str, known: Iterable[str], server: str) -> str:
    """Which topics there are instead; Kafka's own begin with two underscores."""
    names = sorted(name for name in known if not name.startswith("__"))
    there = f"there are {', '.join(names)}" if names else "there is none yet"
    return f"There is no topic {topic} at {server}; {there}."


class Notes:
    """What is said beside the messages: on a terminal in one line that the next message takes."""

    def __init__(self) -> None:
        self.terminal = sys.stderr.isatty()

    def tell(self, text: str) -> None:
        print(f"\r\x1b[K{text}" if self.terminal else text, end="" if self.terminal else "\n", file=sys.stderr)
        sys.stderr.flush()

    def clear(self) -> None:
        if self.terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


class Tail:
    """Follows all partitions of a topic, over any absence of the broker."""

    def __init__(self, server: str, topic: str, keys: list[str], count: int) -> None:
        self.server, self.topic, self.keys, self.count = server, topic, keys, count
        self.notes = Notes()
        self.newest: float | None = None
        self.trouble = ""
        self.told = time.monotonic()

    def run(self) -> NoReturn:
        consumer = self.connect()
        partitions = [TopicPartition(self.topic, number) for number in consumer.partitions_for_topic(self.topic)]
        consumer.assign(partitions)
        found = self.stored(consumer, partitions)
        for record in last(found, self.count):
            self.show(record)
        # Of those from before, nothing but their own time is known.
        self.newest = max((record.timestamp / 1000 for record in found), default=None)
        self.tell_silence()
        while True:
            arrived = [one for batch in consumer.poll(int(_POLL_SECONDS * 1000)).values() for one in batch]
            for record in arrived:
                if wanted(record, self.keys):
                    self.show(record)
                    # Not its own time: the clock of a device may be wrong.
                    self.newest = time.time()
            self.watch(quiet=not arrived)

    def connect(self) -> KafkaConsumer:
        """A consumer of a topic that exists, once the broker serves clients.

        :raises SystemExit: there is no such topic.
        """
        while True:
            try:
                consumer, known = self.consumer()
                break
            except KafkaError:
                self.notice(_STARTS)
            except ConnectionError:
                self.notice(_AWAY)
            time.sleep(_POLL_SECONDS)
        self.notice("")
        if self.topic not in known:
            sys.exit(unknown(self.topic, known, self.server))
        return consumer

    def consumer(self) -> tuple[KafkaConsumer, set[str]]:
        """A consumer, and the topics that there are.

        :raises ConnectionError: the broker's port is closed.
        :raises KafkaError: it is open, and the broker does not serve clients.
        """
        if not self.answers():
            raise ConnectionError
        consumer = KafkaConsumer(
            bootstrap_servers=[self.server],
            bootstrap_timeout_ms=_BOOTSTRAP_MS,
            client_id="kafka-tail",
            group_id=None,
            auto_offset_reset="earliest",
        )
        try:
            return consumer, consumer.topics()
        except KafkaError:
            consumer.close()
            raise

    def stored(self, consumer: KafkaConsumer, partitions: list[TopicPartition]) -> list[Any]:
        """The last messages of each partition, up to its present end; some even if none of them is to be shown."""
        back = _LOOK_BACK if self.keys else max(self.count, _LOOK_BACK_LEAST)
        begins, ends = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
        for one in partitions:
            consumer.seek(one, max(begins[one], ends[one] - back))
        found: list[Any] = []
        while any(consumer.position(one) < ends[one] for one in partitions):
            batches = consumer.poll(int(_POLL_SECONDS * 1000)).values()
            found += [record for batch in batches for record in batch if wanted(record, self.keys)]
            self.notice("" if batches or self.answers() else _AWAY)
        return found

    def show(self, record: Any) -> None:
        self.notes.clear()
        print(line(record), flush=True)
        self.told = time.monotonic()

    def watch(self, *, quiet: bool) -> None:
        """Say that the broker is away or back, and once a minute that nothing has come."""
        self.notice("" if not quiet or self.answers() else _AWAY)
        if time.monotonic() - self.told >= _SILENCE_SECONDS:
            self.tell_silence()

    def notice(self, trouble: str) -> None:
        """Say what is wrong with the broker where that has changed; empty is nothing."""
        if trouble != self.trouble:
            self.trouble, self.told = trouble, time.monotonic()
            self.notes.tell(f"The broker at {self.server} {trouble or _BACK}")

    def tell_silence(self) -> None:
        self.told = time.monotonic()
        self.notes.tell(silence(self.newest, time.time(), self.keys))

    def answers(self) -> bool:
        """Whether the broker's port is open: a consumer keeps quiet about a broker that is gone."""
        host, _colon, port = self.server.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), 2).close()
        except OSError:
            return False
        return True


def main() -> NoReturn:
    parser = argparse.ArgumentParser(prog="kafka tail", description="Show messages as they arrive.")
    parser.add_argument("topic", nargs="?", default=_TOPIC, help=f"{_TOPIC} if there is none")
    parser.add_argument("key", nargs="*", help="show only messages with one of these keys")
    parser.add_argument("--last", type=int, default=10, metavar="N", help="begin with the last N messages (10)")
    parser.add_argument("--bootstrap", required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    sys.stdout.reconfigure(errors="backslashreplace")
    tail = Tail(options.bootstrap, options.topic, options.key, max(0, options.last))
    try:
        tail.run()
    except KeyboardInterrupt:
        tail.notes.clear()
        sys.exit(128 + signal.SIGINT)
    except BrokenPipeError:
        # Whoever read has seen enough; without this, Python complains as it closes stdout.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


if __name__ == "__main__":
    main()
