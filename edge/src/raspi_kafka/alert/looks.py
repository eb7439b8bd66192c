"""Looks at the pipeline: up to when has all that devices sent been taken?

A beat that came back says that all messages before it have left MQTT. Some of them may still be on their way to other
partitions, so the ends of these are asked a moment later; once all records before the ends are taken, nothing that a
device sent before the beat is outstanding, and a device that was not heard of was silent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .ends import Question
from .pipeline import SETTLE_S
from .watch import Seen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .ends import Ends, Partition


# Far above what it takes to read on after a restart.
GIVE_UP_S = 60.0


class Looks:
    """One look at a time.

    :param ask: asks for the ends of partitions.
    :param sent_before: as in Seen.
    """

    def __init__(self, ask: Callable[[list[Partition]], Question], sent_before: Callable[[int], int]) -> None:
        self._ask = ask
        self._sent_before = sent_before
        self._partitions: list[Partition] = []
        # Partitions that did not answer, and from when on they do: what the bridge kept for them comes late.
        self._failed: dict[Partition, int | None] = {}
        self._until_ms = 0
        self._since_ms = 0
        self._ask_at_s = self._give_up_at_s = 0.0
        self._question: Question | None = None
        self._ends: Ends = {}

    def begin(self, partitions: list[Partition], since_ms: int, until_ms: int, now_s: float) -> None:
        """Look, unless there is one look under way.

        :param since_ms: from here on beats have come without a gap.
        :param until_ms: when the beat that came back was sent.
        """
        if now_s < self._give_up_at_s and (self._ask_at_s or self._question or self._ends):
            return
        # What has not been read for so long may never be: the end counts the mark of a transaction too.
        self._failed.update(dict.fromkeys(self._ends))
        self._question, self._ends = None, {}
        self._give_up_at_s = now_s + GIVE_UP_S
        self._partitions, self._since_ms, self._until_ms = partitions, since_ms, until_ms
        self._ask_at_s = now_s + SETTLE_S

    def advance(self, now_s: float, positions: Mapping[Partition, int]) -> Iterator[tuple[Partition, Seen]]:
        """Yield what is known by now of which partition.

        :param positions: the offset of the next record to take, by partition.
        """
        if self._ask_at_s and now_s >= self._ask_at_s:
            self._ask_at_s = 0.0
            self._question = self._ask(self._partitions)
        if self._question and self._question.answered:
            self._ends = {each: end for each, end in self._question.ends().items() if self._answered(each, end)}
            self._question = None
        for each, end in list(self._ends.items()):
            if end is not None and positions.get(each, 0) >= end:
                del self._ends[each]
                since_ms = max(self._since_ms, self._failed.get(each) or 0)
                yield each, Seen(since_ms, self._until_ms, self._sent_before)

    def _answered(self, partition: Partition, end: int | None) -> bool:
        """Tell whether a partition has answered; if it does again, it counts from this beat on."""
        if end is None:
            self._failed[partition] = None
        elif self._failed.get(partition, 0) is None:
            self._failed[partition] = self._until_ms
        return end is not None
