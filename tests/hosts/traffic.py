"""Numbered messages to a cluster, and a ledger of what was acknowledged.

    python3 -m tests.hosts.traffic SERVERS TOPIC LEDGER ACKS

A process of its own, so that whatever happens to the cluster or to a test happens to nothing else. It sends message
after message until it gets SIGTERM, waits for what is in flight, and ends. The ledger has a line for each message whose
fate is known, written at once: `acked NUMBER PARTITION OFFSET SECONDS`, by the sender's monotonic clock, or
`failed NUMBER REASON`.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from . import cache, host

PER_SECOND = 100
SECONDS_TO_DELIVER = 60
SECONDS_TO_READ = 120


@dataclass(frozen=True)
class Ledger:
    """What the sender knows: number -> (partition, offset) of the acknowledged, and the numbers that failed.

    :ivar at: partition -> when it acknowledged, in s, one after the other.
    """

    acked: dict[int, tuple[int, int]]
    failed: list[int]
    at: dict[int, list[float]]

    @classmethod
    def read(cls, path: Path) -> Ledger:
        lines = [line.split() for line in path.read_text().splitlines()]
        acked = [words[1:] for words in lines if words[0] == "acked"]
        at: dict[int, list[float]] = {}
        for _number, partition, _offset, seconds in acked:
            at.setdefault(int(partition), []).append(float(seconds))
        fates = {int(number): (int(partition), int(offset)) for number, partition, offset, _seconds in acked}
        return cls(fates, [int(words[1]) for words in lines if words[0] == "failed"], at)

    @property
    def longest_gap(self) -> float:
        """For how many seconds a partition acknowledged nothing, of the partition that did so for the longest."""
        return self.gap(-math.inf, math.inf)

    def gap(self, begin: float, end: float) -> float:
        """For how many seconds a partition acknowledged nothing, at the longest, at some time within a span."""
        return max(
            now - before
            for times in self.at.values()
            for before, now in itertools.pairwise(times)
            if now > begin and before < end
        )


def judge(ledger: Ledger, stored: dict[tuple[int, int], int]) -> list[str]:
    """Say what is lost, doubled or out of order in what a reader found, (partition, offset) -> number."""
    faults = [
        f"message {number} was acknowledged at {place} and is not there"
        for number, place in ledger.acked.items()
        if stored.get(place) != number
    ]
    faults += [
        f"message {number} is there {times} times" for number, times in Counter(stored.values()).items() if times > 1
    ]
    last: dict[int, int] = {}
    for (partition, offset), number in sorted(stored.items()):
        if number < last.get(partition, -1):
            faults.append(f"message {number} at {(partition, offset)} comes after {last[partition]}")
        last[partition] = number
    return faults


def prove(ledger: Ledger, found: dict[tuple[int, int], int]) -> None:
    """What was acknowledged is in what a reader found, once and in order; one message less would be missed."""
    assert judge(ledger, found) == []
    number, place = next(iter(ledger.acked.items()))
    left = {one: each for one, each in found.items() if one != place}
    lost = [f"message {number} was acknowledged at {place} and is not there"]
    assert judge(ledger, left) == lost, "the ledger must miss what is taken away"


@contextlib.contextmanager
def sent(servers: list[str], topic: str, path: Path, acks: str = "all") -> Iterator[None]:
    """Send while the body runs; at its end all messages have their line in the ledger."""
    command = [sys.executable, "-m", "tests.hosts.traffic", ",".join(servers), topic, str(path), acks]
    process = subprocess.Popen(command, cwd=cache.REPOSITORY)
    try:
        await_lines(path, PER_SECOND)
        yield
        await_lines(path, count(path) + PER_SECOND)
    finally:
        process.terminate()
        try:
            code = process.wait(SECONDS_TO_DELIVER + 30)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert code == 0, "the sender failed"


def count(path: Path) -> int:
    return len(path.read_text().splitlines()) if path.exists() else 0


def await_lines(path: Path, lines: int) -> None:
    deadline = time.monotonic() + SECONDS_TO_DELIVER + 30
    while count(path) < lines:
        assert time.monotonic() < deadline, f"the ledger has {count(path)} lines and not {lines}"
        time.sleep(0.1)


def stored(pi: host.Host, topic: str) -> dict[tuple[int, int], int]:
    """Read the topic from its beginning with Kafka's own consumer on a host: (partition, offset) -> number."""
    tell = " ".join(f"--property print.{what}=true" for what in ("partition", "offset"))
    options = f"--topic {topic} --from-beginning --timeout-ms 10000 {tell}"
    text = host.as_root(pi, f"timeout {SECONDS_TO_READ} kafka console-consumer {options} 2>/dev/null || [ $? = 1 ]")
    assert text, f"nothing was read of {topic} on {pi.container}"
    found = re.findall(r"^Partition:(\d+)\s+Offset:(\d+)\s+(\d+)$", text, re.MULTILINE)
    return {(int(partition), int(offset)): int(number) for partition, offset, number in found}


def read(servers: list[str], topic: str) -> dict[tuple[int, int], int]:
    """Read the topic from its beginning to the end that it has now, whatever comes later, as stored() does."""
    found: dict[tuple[int, int], int] = {}
    with contextlib.closing(KafkaConsumer(bootstrap_servers=servers, group_id=None)) as consumer:
        places = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        ends = consumer.end_offsets(places)
        deadline = time.monotonic() + SECONDS_TO_READ
        while any(consumer.position(place) < end for place, end in ends.items()):
            assert time.monotonic() < deadline, f"{topic} is not read to its end within {SECONDS_TO_READ} s"
            for place, records in consumer.poll(timeout_ms=1000).items():
                found |= {(place.partition, record.offset): int(record.value) for record in records}
    return found


def main(servers: str, topic: str, path: str, acks: str) -> None:
    over: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: over.append(number))
    producer = KafkaProducer(
        bootstrap_servers=servers.split(","),
        acks=acks if acks == "all" else int(acks),
        enable_idempotence=acks == "all",
        delivery_timeout_ms=SECONDS_TO_DELIVER * 1000,
        request_timeout_ms=5000,
        # As Kafka's own producer has it and the bridge; kafka-python's 30 s would be its gap and not Kafka's.
        reconnect_backoff_max_ms=1000,
        max_block_ms=SECONDS_TO_DELIVER * 1000,
        linger_ms=5,
    )
    partitions = sorted(producer.partitions_for(topic))
    with Path(path).open("w", buffering=1) as ledger:
        number = 0
        while not over:
            future = producer.send(topic, str(number).encode(), partition=partitions[number % len(partitions)])
            future.add_callback(
                lambda told, number=number: ledger.write(
                    f"acked {number} {told.partition} {told.offset} {time.monotonic():.4f}\n"
                )
            )
            future.add_errback(lambda error, number=number: ledger.write(f"failed {number} {type(error).__name__}\n"))
            number += 1
            time.sleep(1 / PER_SECOND)
        producer.flush(SECONDS_TO_DELIVER + 10)
        producer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
