"""Commits alerts on their own, and the state and offsets that belong to them after that."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from raspi_kafka.alert import ledger, service
from raspi_kafka.cli import main

if TYPE_CHECKING:
    from raspi_kafka.alert.ledger import Content


class TwoTransactions(ledger.Ledger):
    """What a producer without transactions does, at best."""

    def _transact(self, content: Content) -> None:
        if content.alerts:
            super()._transact(content._replace(state={}))
            time.sleep(0.3)  # so that a kill falls between them now and then
        super()._transact(content._replace(alerts=[]))


if __name__ == "__main__":
    service.Service.ledger_class = TwoTransactions
    sys.exit(main())
