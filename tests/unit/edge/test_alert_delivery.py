"""A sink gets each alert, whatever becomes of some of them."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from raspi_kafka.alert import alertmanager, delivery
from raspi_kafka.alert.alert import State
from raspi_kafka.alert.alertmanager import Alertmanager
from raspi_kafka.alert.delivery import Delivery
from raspi_kafka.alert.inbox import Record
from raspi_kafka.back_off import LEAST_S, MOST_S, until_it_works
from raspi_kafka.errors import RefusedError, UnreachableError
from tenacity import RetryError

from tests.unit.edge.alerts import alert

if TYPE_CHECKING:
    from collections.abc import Callable

    from raspi_kafka.alert.alert import Alert

SECONDS = 30


class Inbox:
    """Has these records; an alert is one, and so is the fault of what is none."""

    def __init__(self, *content: Alert | str) -> None:
        self._records = [
            Record(0, offset, delivery.now_ms() - 60_000, None, each)
            if isinstance(each, str)
            else Record(0, offset, delivery.now_ms() - 60_000, each)
            for offset, each in enumerate(content)
        ]
        self.committed: list[int] = []
        self.closed = threading.Event()

    def take(self, _timeout_s: float) -> Record | None:
        time.sleep(0 if self._records else 0.001)
        return self._records.pop(0) if self._records else None

    def taken(self, record: Record) -> None:
        self.committed.append(record.offset)

    def close(self) -> None:
        self.closed.set()


class Sink:
    """Answers with what a test has put there, the next one each time; takes all once there is none."""

    name = "sink"

    def __init__(self, *answers: Exception | None) -> None:
        self.answers = list(answers)
        self.tries: list[str] = []
        self.open = threading.Event()

    def send(self, sent: Alert) -> None:
        self.tries.append(f"{sent.place.offset} {sent.state.value}")
        if not self.answers:
            return
        answer = self.answers.pop(0)
        if answer is not None:
            raise answer

    def refresh(self) -> None:
        pass


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenacity.sleep_using_event.__call__", lambda _self, _seconds: None)


def until(what: str, holds: Callable[[], object]) -> None:
    end = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.001)


def delivered(sink: Sink, inbox: Inbox, count: int) -> Delivery:
    """Return a delivery that has passed so many records, and has ended."""
    running = Delivery(sink, lambda: inbox)
    running.start()
    until("all are passed", lambda: len(inbox.committed) == count)
    running.stop()
    return running


AWAY = UnreachableError("it is away")


def test_an_alert_is_sent_until_it_is_taken_and_only_then_committed(caplog: pytest.LogCaptureFixture) -> None:
    sink, inbox = Sink(AWAY, AWAY, None, AWAY), Inbox(alert(offset=1), alert(offset=2))
    counters = delivered(sink, inbox, 2).counters
    assert sink.tries == ["1 FIRING"] * 3 + ["2 FIRING"] * 2
    assert (counters.delivered, counters.retries, counters.refused) == (2, 3, 0)
    assert inbox.committed == [0, 1]
    told = [line.getMessage() for line in caplog.records if "it is away" in line.getMessage()]
    assert told == ["sink takes no alerts, they wait: it is away"] * 2


def test_what_is_refused_for_good_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    sink, inbox = Sink(RefusedError("no such thing")), Inbox(alert(offset=1), alert(offset=2))
    counters = delivered(sink, inbox, 2).counters
    assert sink.tries == ["1 FIRING", "2 FIRING"]
    assert (counters.delivered, counters.refused) == (1, 1)
    assert "sink refuses hot/küche 1/telemetry-2-1 FIRING, which is passed over: no such thing" in caplog.text


def test_an_alert_that_can_not_be_put_into_words_does_not_stop_those_behind_it() -> None:
    sink, inbox = Sink(UnicodeEncodeError("utf-8", "x", 0, 1, "surrogate")), Inbox(alert(offset=1), alert(offset=2))
    assert delivered(sink, inbox, 2).counters.refused == 1
    assert sink.tries == ["1 FIRING", "2 FIRING"]


def test_a_record_that_is_no_alert_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    sink, inbox = Sink(), Inbox("no alert: 1", alert(offset=2))
    counters = delivered(sink, inbox, 2).counters
    assert (counters.unreadable, counters.delivered) == (1, 1)
    assert "record 0-0 of the topic is passed over, it is no alert: no alert: 1" in caplog.text


def test_an_urgent_alert_overtakes_one_that_waits_and_keeps_its_own_order() -> None:
    class Closed(Sink):
        def send(self, sent: Alert) -> None:
            if not self.open.is_set():
                raise AWAY
            super().send(sent)

    sink, inbox = Closed(), Inbox(alert(offset=1))
    running = Delivery(sink, lambda: inbox)
    running.start()
    until("it waits", lambda: running.counters.retries)
    running.urgent(alert(offset=9))
    running.urgent(alert(State.RESOLVED, offset=9))
    assert running.waiting_s() >= 60
    retries = running.counters.retries + 1  # the try that is under way may have begun before
    until("they are tried", lambda: running.counters.retries > retries)
    sink.open.set()
    until("all are passed", lambda: inbox.committed)
    running.stop()
    assert sink.tries == ["9 FIRING", "9 RESOLVED", "1 FIRING"]
    assert running.counters.delivered == 3
    assert inbox.closed.is_set()


def test_it_ends_while_the_sink_is_away() -> None:
    running = Delivery(Sink(*[AWAY] * 1_000_000), lambda: Inbox(alert()))
    running.start()
    until("it waits", lambda: running.counters.retries)
    running.stop()
    assert not running.running


def test_pauses_grow_to_a_limit_and_are_never_the_same_for_all() -> None:
    wait = until_it_works(threading.Event(), UnreachableError, print).wait
    pauses = {number: [wait(SimpleNamespace(attempt_number=number)) for _time in range(200)] for number in (1, 3, 5000)}
    assert max(pauses[1]) <= 1 < max(pauses[3]) <= 4 < max(pauses[5000]) <= MOST_S
    for each in pauses.values():
        assert min(each) >= LEAST_S
        assert len(set(each)) > 100


def test_it_is_not_tried_again_after_the_end() -> None:
    ended = threading.Event()
    ended.set()
    sink = Sink(AWAY, AWAY)
    with pytest.raises(RetryError):
        until_it_works(ended, UnreachableError, print)(sink.send, alert())
    assert len(sink.tries) == 1


class Posted(Alertmanager):
    """Remembers what it would have posted."""

    def __init__(self) -> None:
        super().__init__("http://h:9093", None)
        self.posts: list[list[str]] = []
        self.answers: list[Exception | None] = []

    def _post(self, alerts: list[Alert]) -> None:
        self.posts.append([f"{each.place.offset} {each.state.value}" for each in alerts])
        if not self.answers:
            return
        answer = self.answers.pop(0)
        if answer is not None:
            raise answer


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(alertmanager.time, "monotonic", lambda: clock.now)
    return clock


def test_alertmanager_is_sent_again_what_has_not_ended(clock: SimpleNamespace) -> None:
    sink = Posted()
    sink.refresh()
    sink.restore([alert(device="a", offset=1)])
    sink.send(alert(device="b", offset=2))
    clock.now += 59
    sink.refresh()
    assert sink.posts == [["2 FIRING"]]
    clock.now += 1
    sink.refresh()
    assert sink.posts[1:] == [["1 FIRING", "2 FIRING"]]


def test_alertmanager_is_sent_an_end_again_for_a_while(clock: SimpleNamespace) -> None:
    sink = Posted()
    sink.send(alert(State.RESOLVED, offset=1))
    for _minute in range(20):
        clock.now += 60
        sink.refresh()
    assert sink.posts == [["1 RESOLVED"]] * 15


def test_a_new_episode_stands_for_the_one_before(clock: SimpleNamespace) -> None:
    """Both have the same labels: to send the end of the first again would end the second."""
    sink = Posted()
    sink.send(alert(State.RESOLVED, offset=1))
    sink.send(alert(offset=2))
    clock.now += 60
    sink.refresh()
    assert sink.posts[2:] == [["2 FIRING"]]


def test_what_is_restored_does_not_stand_for_what_is_newer(clock: SimpleNamespace) -> None:
    sink = Posted()
    sink.send(alert(State.RESOLVED, offset=1))
    sink.restore([alert(offset=1)])
    clock.now += 60
    sink.refresh()
    assert sink.posts[1:] == [["1 RESOLVED"]]


def test_what_alertmanager_did_not_take_is_due_at_once(clock: SimpleNamespace) -> None:
    sink = Posted()
    sink.send(alert(offset=1))
    sink.answers = [AWAY]
    clock.now += 60
    with pytest.raises(UnreachableError):
        sink.refresh()
    sink.refresh()
    sink.refresh()
    assert sink.posts == [["1 FIRING"]] * 3


@pytest.mark.usefixtures("clock")
def test_many_alerts_go_in_many_posts() -> None:
    sink = Posted()
    sink.restore([alert(device=str(number), offset=number) for number in range(130)])
    sink.refresh()
    assert list(map(len, sink.posts)) == [64, 64, 2]
