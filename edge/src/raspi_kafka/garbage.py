"""Python's search for objects that refer to each other in a circle."""

from __future__ import annotations

import gc

# Above what is under way in a process here. Records and messages make no circles, so to look through all of them after
# each 700 new objects finds nothing; that was a tenth of the CPU time of a bridge that drains a queue.
OBJECTS_BETWEEN_SEARCHES = 50_000


def search_seldom() -> None:
    """Search seldom, and never among what is there by now."""
    gc.freeze()
    gc.set_threshold(OBJECTS_BETWEEN_SEARCHES)
