"""Acknowledges a message when it was received, before Kafka has it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from raspi_kafka.bridge import bridge
from raspi_kafka.bridge.delivery import Delivery
from raspi_kafka.cli import main

if TYPE_CHECKING:
    from raspi_kafka.bridge.record import Record


class Hasty(Delivery):
    def send(self, record: Record) -> None:
        record.delivered = True
        super().send(record)


if __name__ == "__main__":
    bridge.Bridge.delivery_class = Hasty
    sys.exit(main())
