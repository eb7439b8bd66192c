"""Percentiles of milliseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class Spread(NamedTuple):
    """How long most, nearly all and the longest took; all 0 of nothing."""

    p50: float
    p99: float
    max: float

    def __str__(self) -> str:
        return f"p50 {self.p50:.1f} ms, p99 {self.p99:.1f} ms, max {self.max:.1f} ms"


def spread(values: Iterable[float]) -> Spread:
    """Return the percentiles by nearest rank: each is one of the values."""
    found = sorted(values)
    if not found:
        return Spread(0.0, 0.0, 0.0)
    return Spread(*(found[max(0, -(-len(found) * percent // 100) - 1)] for percent in (50, 99, 100)))
