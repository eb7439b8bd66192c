"""How long things took, in buckets, as Prometheus wants them."""

from __future__ import annotations

from bisect import bisect_left

# Seconds; the last bucket holds what an outage or a hold has kept waiting.
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class Histogram:
    """How many values fell into which bucket; the sum of all."""

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value, in seconds."""
        self.buckets[bisect_left(BOUNDS, value)] += 1
        self.sum += value
