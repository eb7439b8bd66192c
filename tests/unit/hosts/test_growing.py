"""What counts as a writer that was stopped while a cluster grew."""

from __future__ import annotations

import pytest

from tests.hosts.growing import went_on
from tests.hosts.traffic import Ledger


def sent(*gaps: float, failed: tuple[int, ...] = ()) -> Ledger:
    """Messages to two partitions, one of which acknowledges nothing for so many seconds again and again."""
    at = [100.0]
    for gap in gaps:
        at.append(at[-1] + gap)
    acked = {number: (0, number) for number in range(len(at))}
    return Ledger(acked, list(failed), {0: at, 1: [100.0, 100.1]})


def test_the_one_restart_stops_no_writer() -> None:
    went_on(sent(0.01, 15, 0.01))


def test_two_in_sync_that_cannot_be_had_yet_do_although_the_sender_bears_it() -> None:
    with pytest.raises(AssertionError, match="acknowledged nothing for 50"):
        went_on(sent(0.01, 50, 0.01))


def test_what_was_before_is_not_judged_again() -> None:
    known = sent(0.01, 50, 0.01)
    went_on(known, since=known.at[0][-2])


def test_a_message_that_failed_was_stopped() -> None:
    with pytest.raises(AssertionError):
        went_on(sent(0.01, failed=(7,)))
