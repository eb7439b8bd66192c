"""What an error of Kafka means for a record."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, KafkaException
from raspi_kafka.bridge.errors import RECORD_CODES, TARGET_CODES, TRANSIENT_CODES, ErrorClass, classify, error_of


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        (KafkaError.MSG_SIZE_TOO_LARGE, ErrorClass.RECORD),
        (KafkaError.INVALID_RECORD, ErrorClass.RECORD),
        (KafkaError._UNKNOWN_TOPIC, ErrorClass.TARGET),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, ErrorClass.TARGET),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, ErrorClass.TARGET),
        (KafkaError._TRANSPORT, ErrorClass.TRANSIENT),
        (KafkaError.NOT_ENOUGH_REPLICAS, ErrorClass.TRANSIENT),
        (KafkaError._PURGE_QUEUE, ErrorClass.TRANSIENT),
        (KafkaError._INVALID_DIFFERENT_RECORD, ErrorClass.TRANSIENT),
        (KafkaError._FATAL, ErrorClass.TRANSIENT),
        (KafkaError.UNKNOWN, ErrorClass.UNKNOWN),
        (KafkaError.FEATURE_UPDATE_FAILED, ErrorClass.UNKNOWN),
    ],
)
def test_an_error_has_its_class(code: int, meaning: ErrorClass) -> None:
    assert classify(KafkaError(code)) is meaning


def test_the_end_of_a_producer_that_keeps_the_order_is_not_fatal() -> None:
    assert classify(KafkaError(KafkaError._GAPLESS_GUARANTEE, "x", True)) is ErrorClass.TRANSIENT


def test_a_fatal_error_is_fatal_whatever_its_code() -> None:
    assert classify(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE, "x", True)) is ErrorClass.FATAL


def test_no_code_has_two_classes() -> None:
    assert len(RECORD_CODES | TARGET_CODES | TRANSIENT_CODES) == sum(
        map(len, (RECORD_CODES, TARGET_CODES, TRANSIENT_CODES))
    )


def test_what_produce_raises_has_an_error() -> None:
    assert error_of(BufferError("full")).code() == KafkaError._QUEUE_FULL
    assert error_of(KafkaException(KafkaError(KafkaError._STATE))).code() == KafkaError._STATE
