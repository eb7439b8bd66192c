"""Ends by SIGKILL right after a step of a transaction with an alert: $AFTER is its number, and 2 is the commit."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

from raspi_kafka.alert import ledger, service
from raspi_kafka.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable

    from raspi_kafka.alert.ledger import Content

AFTER = int(os.environ["AFTER"])


class KilledAtStep(ledger.Ledger):
    """Takes steps one by one."""

    carries_alerts = False

    def _transact(self, content: Content) -> None:
        self.carries_alerts = bool(content.alerts)
        super()._transact(content)

    def _persist(self, steps: list[Callable[[], None]]) -> bool:
        if len(steps) == 1 or not self.carries_alerts:
            return super()._persist(steps)
        for number, step in enumerate(steps):
            if not super()._persist([step]):
                return False
            if number == AFTER:
                # What was sent has to be there before the process is not.
                self._producer.flush(5)
                os.kill(os.getpid(), signal.SIGKILL)
        return True


if __name__ == "__main__":
    service.Service.ledger_class = KilledAtStep
    sys.exit(main())
