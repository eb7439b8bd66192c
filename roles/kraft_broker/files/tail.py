"""Show a topic's messages as they arrive: `kafka tail [TOPIC] [KEY...]` runs this with kafka-python.

The last few messages come first, then new ones of all partitions, one a line: local time of the message, key, value.
Whenever a minute has passed without one, it says so, on stderr.
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
# With a key, the last messages of that key are looked for among so many of each partition.
_LOOK_BACK = 1000
_LONGEST = 2000  # characters of a value


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


def silence(since: float | None, now: float) -> str:
    """That nothing has come; both in seconds since the epoch, None where nothing ever came."""
    if since is None:
        return "no message yet"
    then, minutes = datetime.fromtimestamp(since), max(0, int(now - since)) // 60
    form = "%H:%M:%S" if then.date() == datetime.fromtimestamp(now).date() else "%Y-%m-%d %H:%M:%S"
    ago = f"{minutes} min" if minutes < 120 else f"{minutes // 60} h" if minutes < 2880 else f"{minutes // 1440} days"
    return f"no message since {then.strftime(form)} ({ago})"


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
        self.away = False
        self.told = time.monotonic()

    def run(self) -> NoReturn:
        consumer = self.connect()
        partitions = [TopicPartition(self.topic, number) for number in consumer.partitions_for_topic(self.topic)]
        consumer.assign(partitions)
        for record in last(self.stored(consumer, partitions), self.count):
            self.show(record)
        while True:
            arrived = [one for batch in consumer.poll(int(_POLL_SECONDS * 1000)).values() for one in batch]
            for record in arrived:
                if wanted(record, self.keys):
                    self.show(record)
            self.watch(quiet=not arrived)

    def connect(self) -> KafkaConsumer:
        """A consumer of a topic that exists.

        :raises SystemExit: there is no such topic.
        """
        while not self.answers():
            self.watch(quiet=True)
            time.sleep(_POLL_SECONDS)
        try:
            consumer = KafkaConsumer(
                bootstrap_servers=[self.server], client_id="kafka-tail", group_id=None, auto_offset_reset="earliest"
            )
            known = consumer.topics()
        except KafkaError:
            time.sleep(_POLL_SECONDS)
            return self.connect()
        if self.topic not in known:
            sys.exit(unknown(self.topic, known, self.server))
        self.notes.clear()
        return consumer

    def stored(self, consumer: KafkaConsumer, partitions: list[TopicPartition]) -> list[Any]:
        """The last messages of each partition, up to its present end."""
        back = _LOOK_BACK if self.keys else self.count
        begins, ends = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
        for one in partitions:
            consumer.seek(one, max(begins[one], ends[one] - back))
        found: list[Any] = []
        while any(consumer.position(one) < ends[one] for one in partitions):
            for batch in consumer.poll(int(_POLL_SECONDS * 1000)).values():
                found += [record for record in batch if wanted(record, self.keys)]
            self.watch(quiet=not found)
        return found

    def show(self, record: Any) -> None:
        self.notes.clear()
        print(line(record), flush=True)
        self.newest = max(self.newest or 0.0, record.timestamp / 1000)
        self.told = time.monotonic()

    def watch(self, *, quiet: bool) -> None:
        """Say that the broker is away or back, and once a minute that nothing has come."""
        away = quiet and not self.answers()
        if away != self.away:
            self.away, self.told = away, time.monotonic()
            told = "does not answer; `systemctl status kafka` says why. Waiting for it." if away else "is back."
            self.notes.tell(f"The broker at {self.server} {told}")
        elif time.monotonic() - self.told >= _SILENCE_SECONDS:
            self.told = time.monotonic()
            self.notes.tell(silence(self.newest, time.time()))

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
