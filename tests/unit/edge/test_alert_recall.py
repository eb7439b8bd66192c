"""What is known of the past when a process begins."""

from __future__ import annotations

from raspi_kafka.alert.alert import State
from raspi_kafka.alert.recall import Recall

from tests.unit.edge.alerts import alert


def test_a_topic_that_was_never_read_has_no_past() -> None:
    recall = Recall({0: 0, 1: 0})
    assert recall.over
    assert not recall.take(0, 0, alert())


def test_what_was_committed_is_the_past_and_no_more() -> None:
    recall = Recall({0: 2, 1: 1})
    assert recall.take(0, 0, alert(offset=0))
    assert not recall.over
    assert recall.take(0, 1, alert(offset=1))
    assert not recall.take(0, 2, None)
    assert not recall.over
    assert recall.take(1, 0, None)
    assert recall.over


def test_only_episodes_that_have_not_ended_are_restored() -> None:
    recall = Recall({0: 3})
    recall.take(0, 0, alert(offset=1))
    recall.take(0, 1, alert(offset=2))
    recall.take(0, 2, alert(State.RESOLVED, offset=1))
    assert recall.firing == [alert(offset=2)]


def test_an_end_that_comes_while_another_partition_is_behind_counts() -> None:
    """Else an episode would be restored that has ended, and nothing would ever end it again."""
    recall = Recall({0: 1, 1: 1})
    assert recall.take(0, 0, alert())
    assert not recall.take(0, 1, alert(State.RESOLVED))
    recall.take(1, 0, None)
    assert recall.over
    assert not recall.firing


def test_records_that_were_deleted_are_not_waited_for() -> None:
    recall = Recall({0: 5})
    assert not recall.over
    recall.end(0)
    assert recall.over
