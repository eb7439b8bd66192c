"""Finds a producer that hangs although Kafka is well."""

from __future__ import annotations

# Far above a restart of a broker on a slow card, and above what a leader election takes.
LIMIT_S = 600.0


class Stall:
    """Counts how long nothing has landed while Kafka answered and each partition had a leader.

    An outage, however long, does not count: the producer gets the whole limit after its end.
    """

    def __init__(self, limit_s: float = LIMIT_S) -> None:
        self._limit_s = limit_s
        self._since: float | None = None
        self._landed = -1

    def hangs(self, now: float, landed: int, *, waiting: bool, healthy: bool) -> bool:
        """Tell whether the producer has to be given up.

        :param landed: how many records have landed so far.
        :param waiting: whether there are records that should land.
        :param healthy: whether Kafka answers.
        """
        if landed != self._landed or not waiting or not healthy:
            self._landed = landed
            self._since = now if waiting and healthy else None
            return False
        if self._since is None:
            self._since = now
        return now - self._since > self._limit_s
