"""What an error of Kafka means for a record.

The classes decide what may be done next without losing a message or the order of a device:
RECORD - Kafka will never take this record: it goes to the dead-letter topic.
TARGET - Kafka takes nothing there until a person acts: nothing is read, and it is tried again.
TRANSIENT - it passes by itself: nothing but patience is needed.
UNKNOWN - nobody has said yet: as TARGET, since neither loss nor a storm of retries may come of it.
FATAL - the producer can't go on: the process ends, and its successor begins with what is not acknowledged.
"""

from __future__ import annotations

from enum import Enum

from confluent_kafka import KafkaError, KafkaException


class ErrorClass(Enum):
    """What to do about an error."""

    RECORD = "record"
    TARGET = "target"
    TRANSIENT = "transient"
    UNKNOWN = "unknown"
    FATAL = "fatal"


def codes(*names: str) -> frozenset[int]:
    """Return error codes by their names."""
    return frozenset(getattr(KafkaError, name) for name in names)


RECORD_CODES = codes("MSG_SIZE_TOO_LARGE", "RECORD_LIST_TOO_LARGE", "INVALID_RECORD", "INVALID_TIMESTAMP")
TARGET_CODES = codes(
    *("UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_TOPIC", "_UNKNOWN_PARTITION", "TOPIC_EXCEPTION", "UNKNOWN_TOPIC_ID"),
    *("TOPIC_AUTHORIZATION_FAILED", "CLUSTER_AUTHORIZATION_FAILED", "TRANSACTIONAL_ID_AUTHORIZATION_FAILED"),
    *("SASL_AUTHENTICATION_FAILED", "_AUTHENTICATION", "POLICY_VIOLATION", "INVALID_REQUIRED_ACKS"),
)
TRANSIENT_CODES = codes(
    *("_TRANSPORT", "_ALL_BROKERS_DOWN", "_RESOLVE", "_MSG_TIMED_OUT", "_TIMED_OUT", "_TIMED_OUT_QUEUE"),
    *("_QUEUE_FULL", "_RETRY", "_WAIT_COORD", "_DESTROY_BROKER", "_INVALID_DIFFERENT_RECORD"),
    *("LEADER_NOT_AVAILABLE", "NOT_LEADER_FOR_PARTITION", "REQUEST_TIMED_OUT", "BROKER_NOT_AVAILABLE"),
    *("REPLICA_NOT_AVAILABLE", "NETWORK_EXCEPTION", "NOT_ENOUGH_REPLICAS", "NOT_ENOUGH_REPLICAS_AFTER_APPEND"),
    *("KAFKA_STORAGE_ERROR", "COORDINATOR_LOAD_IN_PROGRESS", "COORDINATOR_NOT_AVAILABLE", "NOT_COORDINATOR"),
    *("INVALID_MSG", "NOT_CONTROLLER", "THROTTLING_QUOTA_EXCEEDED", "FENCED_LEADER_EPOCH", "UNKNOWN_LEADER_EPOCH"),
    # Those that a producer with idempotence meets when it begins anew.
    *("OUT_OF_ORDER_SEQUENCE_NUMBER", "UNKNOWN_PRODUCER_ID", "CONCURRENT_TRANSACTIONS"),
    # What comes back from a producer that has ended to keep the order. If it has ended for good, poll() tells so.
    *("_PURGE_QUEUE", "_PURGE_INFLIGHT", "_FATAL", "_GAPLESS_GUARANTEE"),
)


def classify(error: KafkaError) -> ErrorClass:
    """Return what an error means."""
    code = error.code()
    if error.fatal() and code != KafkaError._GAPLESS_GUARANTEE:
        return ErrorClass.FATAL
    for found, members in (
        (ErrorClass.RECORD, RECORD_CODES),
        (ErrorClass.TARGET, TARGET_CODES),
        (ErrorClass.TRANSIENT, TRANSIENT_CODES),
    ):
        if code in members:
            return found
    return ErrorClass.UNKNOWN


def error_of(raised: BufferError | KafkaException) -> KafkaError:
    """Return the error of what produce() raises."""
    return raised.args[0] if isinstance(raised, KafkaException) else KafkaError(KafkaError._QUEUE_FULL)
