"""The largest number of devices that is held, found by as few stages as can be."""

from __future__ import annotations

# Closer is less than what one run differs from the next.
CLOSE = 0.1


def next_count(passed: list[int], failed: list[int], most: int) -> int | None:
    """Return how many devices to try next: twice as many while all goes well, and then between the two.

    :param most: devices that there are.
    :returns: None if the limit is known but for a tenth, or all there are were held.
    """
    good = max(passed, default=0)
    bad = min((count for count in failed if count > good), default=None)
    if bad is None:
        wanted = min(2 * good, most) if good else 1
        return wanted if wanted > good else None
    return None if bad - good <= max(1, CLOSE * good) else (good + bad) // 2
