"""Takes the word of the leader alone, without the guarantees that Kafka gives only with that of all replicas."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from raspi_kafka.bridge import producer
from raspi_kafka.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable

    from confluent_kafka import KafkaError, Producer

LEADER_ALONE = {"acks": "1", "enable.idempotence": False, "enable.gapless.guarantee": False}
make = producer.make


def careless(values: dict[str, Any], on_error: Callable[[KafkaError], None]) -> Producer:
    return make({**values, **LEADER_ALONE}, on_error)


if __name__ == "__main__":
    producer.make = careless
    sys.exit(main())
