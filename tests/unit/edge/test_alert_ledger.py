"""In which order the ledger asks Kafka; the producer answers as tests tell it to."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from raspi_kafka.alert import ledger
from raspi_kafka.alert.ledger import Content, Ledger
from raspi_kafka.alert.topics import STATE


class Producer:
    """Takes all; `looks` are what it meets first when it is asked for the leader of the state."""

    def __init__(self, *_settings: Any, **_more: Any) -> None:
        self.asked: list[str] = []
        self.looks: list[KafkaError] = []

    def list_topics(self, topic: str, _timeout: float) -> Any:
        self.asked.append("look")
        error = self.looks.pop(0) if self.looks else None
        if error and error.code() == KafkaError._TRANSPORT:
            raise KafkaException(error)
        partition = SimpleNamespace(error=error)
        return SimpleNamespace(topics={topic: SimpleNamespace(error=None, partitions={0: partition})})

    def produce(self, topic: str, *_record: Any) -> None:
        self.asked.append(topic)

    def __getattr__(self, name: str) -> Any:
        return lambda *_all: self.asked.append(name)


def done(found: Ledger) -> None:
    end = time.monotonic() + 10
    while found.written() is None:
        assert time.monotonic() < end
        time.sleep(0.001)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Ledger:
    monkeypatch.setattr(ledger, "Producer", Producer)
    found = Ledger(("127.0.0.1:1",), lambda _error: None)
    done(found)
    return found


def test_the_coordinator_is_asked_for_with_a_connection_at_hand(opened: Ledger) -> None:
    assert opened._producer.asked == ["look", "init_transactions"]


def test_after_an_outage_a_transaction_waits_for_a_leader(opened: Ledger) -> None:
    opened._producer.asked.clear()
    opened._producer.looks = [KafkaError(KafkaError._TRANSPORT), KafkaError(KafkaError.LEADER_NOT_AVAILABLE)]
    opened.write(Content([], {"key": b"value"}, after_outage=True))
    done(opened)
    assert opened._producer.asked == ["look"] * 3 + ["begin_transaction", STATE, "commit_transaction"]
    opened._producer.asked.clear()
    opened.write(Content([], {"key": b"value"}))
    done(opened)
    assert opened._producer.asked == ["begin_transaction", STATE, "commit_transaction"]
