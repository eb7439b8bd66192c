"""`raspi-kafka alert record` takes what Kafka has, and leaves no trace."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import raspi_kafka
from confluent_kafka import Producer
from raspi_kafka.alert import recorded

from .kafka import DEAD_LETTERS, TELEMETRY

if TYPE_CHECKING:
    from .kafka import Kafka


def record(kafka: Kafka, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "raspi_kafka", "alert", "record", "--kafka", kafka.server, *options]
    env = {**os.environ, "PYTHONPATH": str(Path(raspi_kafka.__file__).parents[1])}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)


def produce(kafka: Kafka, count: int, age_s: int = 0) -> None:
    """Send records of three devices, and a dead letter that is no text, in a transaction, whose mark ends the topic."""
    producer = Producer({"bootstrap.servers": kafka.server, "transactional.id": "test", "broker.address.family": "v4"})
    producer.init_transactions(60)
    producer.begin_transaction()
    more = {"headers": [("mqtt.time", b"5")], "timestamp": int(time.time() - age_s) * 1000}
    for number in range(count):
        producer.produce(TELEMETRY, b'{"n": %d}' % number, b"d%d" % (number % 3), **more)
    producer.produce(DEAD_LETTERS, b"\xff", None)
    producer.commit_transaction(60)


def test_it_writes_all_that_kafka_has_and_ends(kafka: Kafka, tmp_path: Path) -> None:
    produce(kafka, 2000)
    out = tmp_path / "recorded.jsonl"
    done = record(kafka, "--topic", TELEMETRY, DEAD_LETTERS, "--out", str(out))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "2001 records of telemetry, dead-letters\n")
    found = {each[:3]: each for each in recorded.read(out)}
    stored = {
        (each.topic, each.partition, each.offset): each
        for name in (TELEMETRY, DEAD_LETTERS)
        for each in kafka.records(name)
    }
    assert found.keys() == stored.keys()
    for place, each in stored.items():
        mine = found[place]
        assert (mine.append_ms, mine.value, mine.key) == (each.timestamp, each.value, (each.key or b"").decode())
        assert mine.headers == [*each.headers]
    with kafka.admin() as admin:
        assert "raspi-kafka-alert-record" not in str(admin.list_groups())


def test_it_takes_only_what_was_appended_since(kafka: Kafka) -> None:
    kafka.configure(TELEMETRY, {"message.timestamp.type": "CreateTime"})  # so that there is something old
    produce(kafka, 10, age_s=3600)
    produce(kafka, 5)
    done = record(kafka, "--since", "30m")
    assert (done.returncode, done.stderr) == (0, "5 records of telemetry\n")


def test_it_says_which_topic_is_not_there_and_keeps_the_file(kafka: Kafka, tmp_path: Path) -> None:
    out = tmp_path / "recorded.jsonl"
    out.write_text("before")
    done = record(kafka, "--topic", "nothing", "--out", str(out))
    assert (done.returncode, out.read_text()) == (1, "before")
    assert done.stderr.startswith(f"Kafka at {kafka.server} has no topic nothing: ")


def test_topics_without_records_are_read_at_once(kafka: Kafka) -> None:
    done = record(kafka)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "0 records of telemetry\n")
