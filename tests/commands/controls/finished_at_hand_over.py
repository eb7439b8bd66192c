"""Takes a command that the MQTT server has for one that the device has."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from raspi_kafka.cli import main
from raspi_kafka.commands import service

if TYPE_CHECKING:
    from raspi_kafka.commands.queues import Entry


class FinishedAtHandOver(service.Service):
    """Waits for no answer."""

    def _hand(self, entry: Entry) -> None:
        super()._hand(entry)
        if entry.handed:
            self._queues.remove(entry)


if __name__ == "__main__":
    service.Service = FinishedAtHandOver
    from raspi_kafka.commands import run

    run.Service = FinishedAtHandOver
    sys.exit(main())
