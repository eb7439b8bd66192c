"""Whose turn it is to send."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .schedule import Schedule

Whose = TypeVar("Whose")


class Turns(Generic[Whose]):
    """Gives each its turns in the order of time.

    Two queues do it, at less than half of what a heap costs: those who had a turn are in order by themselves, since
    all of them have their next one by the same schedule.

    :param firsts: when the first turn of each is, in seconds of the run.
    :param last: is told of each before its last turn.
    """

    def __init__(
        self, schedule: Schedule, firsts: Iterable[tuple[float, Whose]], last: Callable[[Whose], None]
    ) -> None:
        self._schedule = schedule
        self._last = last
        self._new = deque(sorted((turn for turn in firsts if turn[0] < schedule.until_s), key=lambda turn: turn[0]))
        self._again: deque[tuple[float, Whose]] = deque()

    def next_s(self) -> float | None:
        """Return when the next turn is; None if there is none any more."""
        queue = self._next()
        return queue[0][0] if queue else None

    def until(self, now_s: float) -> Iterator[tuple[float, Whose]]:
        """Yield when each turn was due, and whose it is, up to now."""
        after, until_s, again = self._schedule.after, self._schedule.until_s, self._again
        while (queue := self._next()) and queue[0][0] <= now_s:
            turn = queue.popleft()
            due_s = after(turn[0])
            if due_s < until_s:
                again.append((due_s, turn[1]))
            else:
                self._last(turn[1])
            yield turn

    def _next(self) -> deque[tuple[float, Whose]]:
        """Return the queue that has the next turn, or an empty one."""
        if self._new and (not self._again or self._new[0][0] <= self._again[0][0]):
            return self._new
        return self._again
