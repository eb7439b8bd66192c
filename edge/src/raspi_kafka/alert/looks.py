"""Looks at the pipeline: up to when has all that devices sent been taken?

A beat that came back says that all messages before it have left MQTT. Some of them may still be on their way to other
partitions, so the ends of these are asked a moment later; once all records before the ends are taken, nothing that a
device sent before the beat is outstanding, and a device that was not heard of was silent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .ends import Question
from .pipeline import SETTLE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .ends import Ends, Partition
    from .sight import Sight


# Far above what it takes to read on after a restart.
GIVE_UP_S = 60.0


class Looks:
    """One look at a time.

    :param ask: asks for the ends of partitions.
    """

    def __init__(self, ask: Callable[[list[Partition]], Question]) -> None:
        self._ask = ask
        self._partitions: list[Partition] = []
        # Partitions that did not answer, and the look with which they do: what a bridge kept for them comes late.
        self._failed: dict[Partition, Sight | None] = {}
        self._sight: Sight
        self._ask_at_s = self._give_up_at_s = 0.0
        self._question: Question | None = None
        self._ends: Ends = {}

    def begin(self, partitions: list[Partition], sight: Sight, now_s: float) -> None:
        """Look, unless there is one look under way.

        :param sight: what the beats show that have come back.
        """
        if now_s < self._give_up_at_s and (self._ask_at_s or self._question or self._ends):
            return
        # What has not been read for so long may never be: the end counts the mark of a transaction too.
        self._failed.update(dict.fromkeys(self._ends))
        self._question, self._ends = None, {}
        self._give_up_at_s = now_s + GIVE_UP_S
        self._partitions, self._sight = partitions, sight
        self._ask_at_s = now_s + SETTLE_S

    def advance(self, now_s: float, positions: Mapping[Partition, int]) -> Iterator[tuple[Partition, Sight]]:
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
                failed = self._failed.get(each)
                yield each, self._sight.since(failed) if failed else self._sight

    def _answered(self, partition: Partition, end: int | None) -> bool:
        """Tell whether a partition has answered; if it does again, it counts from this look on."""
        if end is None:
            self._failed[partition] = None
        elif partition in self._failed and self._failed[partition] is None:
            self._failed[partition] = self._sight
        return end is not None
