"""What a sink has been given before this process began."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .alert import State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .alert import Alert


class Recall:
    """Is told the records of the topic from its beginning, until each partition is where the sink was.

    :param until: the committed offset of each partition; 0 if there is none.
    """

    def __init__(self, until: Mapping[int, int]) -> None:
        self._until = dict(until)
        self._open = {partition for partition, offset in until.items() if offset}
        self._firing: dict[str, Alert] = {}

    @property
    def over(self) -> bool:
        """Whether all of the past is known."""
        return not self._open

    @property
    def firing(self) -> list[Alert]:
        """The episodes that have not ended so far."""
        return list(self._firing.values())

    def take(self, partition: int, offset: int, alert: Alert | None) -> bool:
        """Take a record, of the past or not; tell whether the sink has been given it before.

        :param alert: None if the record is none.
        """
        if alert is not None and alert.state is State.FIRING:
            self._firing[alert.id] = alert
        elif alert is not None:
            self._firing.pop(alert.id, None)
        if offset + 1 >= self._until[partition]:
            self._open.discard(partition)
        return offset < self._until[partition]

    def end(self, partition: int) -> None:
        """Note that a partition has no more records: those before the committed offset may have been deleted."""
        self._open.discard(partition)
