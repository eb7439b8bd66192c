"""Finds records that do not land although Kafka is well."""

from __future__ import annotations

from enum import Enum


class Health(Enum):
    """How Kafka is: the seconds that a record has to land in.

    With each replica in sync nothing keeps Kafka from taking it at once, and a leader election takes some seconds. With
    leaders alone there may be fewer than min.insync.replicas, of which the metadata does not tell.
    """

    AWAY = float("inf")
    LED = 600.0
    IN_SYNC = 60.0


class Stall:
    """Counts how long the same record has been the first to land while Kafka was as it is.

    An outage, however long, does not count: the record gets its whole time after the end.
    """

    def __init__(self) -> None:
        self._mark: object = None
        self._health = Health.AWAY
        self._since: float | None = None

    def stands(self, mark: object) -> bool:
        """Tell whether nothing has moved since the last look, so that one has to ask Kafka how it is.

        :param mark: what is another value once the record has landed; None if none is under way.
        """
        stands = mark is not None and mark == self._mark
        self._mark = mark
        if not stands:
            self._since = None
        return stands

    def hangs(self, now: float, health: Health) -> bool:
        """Tell whether the record has had its time; if so, it has it anew."""
        if self._since is None or health is not self._health:
            self._health, self._since = health, now
        elif now - self._since >= health.value:
            self._since = None
            return True
        return False
