"""A disk that fills up, and a broker that fails again and again."""

from __future__ import annotations

import contextlib

import pytest
from conftest import OnPi, send, stored, wait_until
from kafka import KafkaProducer
from kafka.errors import KafkaError

from tests.hosts import host
from tests.hosts.disk import DATA

MAPPED = "grep -c /opt/kafka/cds/ /proc/$(systemctl show kafka --property MainPID --value)/maps"
NOTE = "/run/kafka/failures.json"


def state(on: OnPi) -> str:
    return on("systemctl show kafka --property ActiveState --value")


def status(on: OnPi) -> str:
    return on("systemctl show kafka --property StatusText --value")


def send_until_refused(pi: host.Host) -> list[bytes]:
    """Send 256 KiB at a time; returns what was acknowledged."""
    acknowledged: list[bytes] = []
    producer = KafkaProducer(
        bootstrap_servers=f"{pi.address}:9092", acks="all", request_timeout_ms=10000, delivery_timeout_ms=20000
    )
    with contextlib.closing(producer), contextlib.suppress(KafkaError):
        for number in range(2000):
            value = b"%06d" % number
            producer.send("events", value + b"x" * (256 << 10)).get(timeout=30)
            acknowledged.append(value)
    return acknowledged


@pytest.mark.usefixtures("small_disk")
def test_a_full_disk_is_said_and_the_ballast_brings_kafka_back(pi: host.Host, on: OnPi) -> None:
    send(pi, b"before the disk was full")
    free = int(on(f"df --output=avail -B1M {DATA} | tail -1"))
    on(f"fallocate -l {free - 40}M {DATA}/somebody-elses")
    acknowledged = send_until_refused(pi)
    assert acknowledged

    wait_until(lambda: status(on).startswith("held back until 64 MiB are free"), 60, "the start is held back")
    assert state(on) == "activating"
    reason = on("journalctl --unit kafka --priority crit --output cat --lines 1 --no-pager")
    assert f"Kafka ended, and the file system of {DATA} is full" in reason
    assert f"`sudo rm {DATA}/ballast` frees 128 MiB at once" in reason

    on(f"rm {DATA}/ballast")
    wait_until(lambda: state(on) == "active", 60, "Kafka came back by itself")
    values = [value[:6] for value in stored(pi) if len(value) > 1000]
    assert values[: len(acknowledged)] == acknowledged
    assert b"before the disk was full" in stored(pi)


def test_failures_in_a_row_hold_it_back_for_longer_and_a_restart_by_hand_does_not_wait(on: OnPi) -> None:
    """The three ends are real; only the noted age of the broker is not, since it runs for more than ten minutes."""
    for failures in (1, 2):
        on("kill -KILL $(systemctl show kafka --property MainPID --value)")
        wait_until(lambda: status(on).startswith("held back for"), 30, "the start is held back")
        assert status(on) == f"held back for {10 * failures} s after failure {failures} in a row"
        if failures == 1:
            wait_until(lambda: state(on) == "active", 60, "Kafka came back by itself")
    on("systemctl restart kafka")
    assert state(on) == "active"
    assert '"failures": 0' in on(f"cat {NOTE}")


def test_a_crash_loop_is_tried_without_the_archive_and_writes_no_files(on: OnPi) -> None:
    """A damaged archive of the right size: its classes are zeros."""
    broker = on("ls /opt/kafka/cds/*/broker.jsa.*")
    on(f"systemctl stop kafka; cp -p {broker} /root/kept")
    on(f"dd if=/dev/zero of={broker} bs=1M seek=1 count=8 conv=notrunc status=none")
    try:
        on("systemctl start --no-block kafka")
        wait_until(lambda: state(on) == "active", 120, "Kafka came back by itself")
        said = on("journalctl --unit kafka --grep 'without its archive' --lines 1 --output cat --no-pager")
        assert said.startswith("After 2 failures it starts without its archive of classes, which may be damaged.")
        assert on(MAPPED, check=False) == "0"
        assert on("ls /var/lib/kafka") == "data\ntmp"
    finally:
        on(f"mv /root/kept {broker}; systemctl restart kafka")
    assert int(on(MAPPED)) > 0
