"""What the tests of a deployed Pi share: fixtures and looks. Each scenario's conftest says which set of hosts it is."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource

from . import cache, disk, host
from .play import Run, playbook
from .snapshot import difference, snapshot

OnPi = Callable[..., str]


@pytest.fixture
def pi(set_name: str) -> host.Host:
    """Return the Pi as it is reached now."""
    return host.find(set_name)[0]


@pytest.fixture
def on(pi: host.Host, set_name: str) -> OnPi:
    """Return a function that runs a shell command on the Pi as root, over SSH as user pi."""

    def run(command: str, check: bool = True) -> str:
        line = pi.ssh(cache.directory(set_name), "sudo", "sh", "-s")
        done = subprocess.run(line, input=command, capture_output=True, text=True, timeout=240, check=False)
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return (done.stdout + ("" if check else done.stderr)).strip()

    return run


@pytest.fixture
def small_disk(pi: host.Host) -> Iterator[None]:
    """Put Kafka's records on a disk of 400 MiB, and back afterwards."""
    with disk.small(pi, 400, forget=True):
        yield


def look(pi: host.Host) -> dict[str, Any]:
    """Everything that a second run must leave as it is: files, services, topics."""
    with contextlib.closing(KafkaAdminClient(bootstrap_servers=f"{pi.address}:9092")) as admin:
        names = sorted(admin.list_topics())
        configs = admin.describe_configs([ConfigResource("topic", name) for name in names])
        partitions = {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics(names)}
    topics = {name: {"configs": configs["topic"][name], "partitions": partitions[name]} for name in names}
    return snapshot(pi.container, extra={"topics": topics})


def send(pi: host.Host, value: bytes, topic: str = "events") -> None:
    """Store one record, acknowledged."""
    with contextlib.closing(KafkaProducer(bootstrap_servers=f"{pi.address}:9092", acks="all")) as producer:
        producer.send(topic, value).get(timeout=30)


def stored(pi: host.Host, topic: str = "events") -> list[bytes]:
    """Read partition 0 of a topic from its beginning to its present end."""
    partition = TopicPartition(topic, 0)
    with contextlib.closing(KafkaConsumer(bootstrap_servers=f"{pi.address}:9092", group_id=None)) as consumer:
        consumer.assign([partition])
        consumer.seek_to_beginning(partition)
        end = consumer.end_offsets([partition])[partition]
        values: list[bytes] = []
        deadline = time.monotonic() + 60
        while consumer.position(partition) < end:
            assert time.monotonic() < deadline, f"read {len(values)} records of {topic}, its end is {end}"
            values += [record.value for record in consumer.poll(timeout_ms=1000).get(partition, [])]
    return values


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for something that the host does by itself."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(1)


def refused(name: str, pi: host.Host, *arguments: str, book: str = "site.yml") -> str:
    """Run a playbook on the hosts NAME that must fail with a sentence and change nothing on one; returns its output."""
    before = look(pi)
    run = playbook(name, *arguments, book=book)
    fails(run)
    assert difference(before, look(pi)) == []
    return run.text


def fails(run: Run) -> None:
    """The run ended with a sentence."""
    assert run.code == 2
    assert "Traceback" not in run.output
    assert "Error rendering" not in run.output


def extra(**variables: object) -> list[str]:
    """Variables as a user gives them on the command line."""
    return ["-e", json.dumps(variables)]
