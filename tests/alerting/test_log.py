"""What a topic holds is read to its end, whatever others write meanwhile."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from confluent_kafka import Producer
from raspi_kafka import kafka_log
from raspi_kafka.alert.topics import ALERTS

if TYPE_CHECKING:
    from tests.bridge.kafka import Kafka

SECONDS = 60


def values(kafka: Kafka) -> list[bytes]:
    found, end = [], time.monotonic() + SECONDS
    for each in kafka_log.committed((kafka.server,), ALERTS):
        assert time.monotonic() < end, f"it is not read within {SECONDS} s"
        found.append(each.value())
    return found


def test_the_end_is_that_of_the_beginning_where_records_never_cease(kafka: Kafka) -> None:
    over, first = threading.Event(), threading.Event()
    producer = Producer({"bootstrap.servers": kafka.server, "transactional.id": "of-the-log", "linger.ms": 0})
    producer.init_transactions(SECONDS)

    def write() -> None:
        while not over.is_set():
            producer.begin_transaction()
            producer.produce(ALERTS, b"written", partition=1)
            producer.commit_transaction(SECONDS)
            first.set()

    writing = threading.Thread(target=write)
    writing.start()
    try:
        assert first.wait(SECONDS)
        assert set(values(kafka)) == {b"written"}
    finally:
        over.set()
        writing.join()


def test_what_is_open_or_aborted_is_not_there(kafka: Kafka) -> None:
    producer = Producer({"bootstrap.servers": kafka.server, "transactional.id": "of-the-log"})
    producer.init_transactions(SECONDS)
    for value, end in ((b"kept", producer.commit_transaction), (b"aborted", producer.abort_transaction)):
        producer.begin_transaction()
        producer.produce(ALERTS, value, partition=1)
        producer.flush(SECONDS)
        end(SECONDS)
    assert values(kafka) == [b"kept"]
    producer.begin_transaction()
    producer.produce(ALERTS, b"open", partition=1)
    producer.flush(SECONDS)
    assert values(kafka) == [b"kept"]
    producer.commit_transaction(SECONDS)
    assert values(kafka) == [b"kept", b"open"]
