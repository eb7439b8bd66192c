"""Takes alerts from Kafka to one sink."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from tenacity import RetryError

from ..back_off import until_it_works
from ..errors import RefusedError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .alert import Alert
    from .inbox import Record

log = logging.getLogger(__name__)

# How long an urgent alert may wait while none comes from Kafka.
POLL_S = 0.5
SECONDS_TO_END = 15.0


class Sink(Protocol):
    """Something outside that alerts go to; all of it is called by one thread.

    :ivar name: for people, and part of the name of its consumer group.
    """

    name: str

    def send(self, alert: Alert) -> None:
        """Return once it has been taken.

        :raises UnreachableError: it was not, and is to be sent again.
        :raises RefusedError: it never will be.
        """

    def refresh(self) -> None:
        """Do what is due without a new alert; called often.

        :raises UnreachableError: it was not taken, and is due again.
        :raises RefusedError: it never will be.
        """


class Source(Protocol):
    """What an Inbox does."""

    def take(self, timeout_s: float) -> Record | None:
        """Return the next record; None if none came in time."""

    def taken(self, record: Record) -> None:
        """Note that the sink has taken it."""

    def close(self) -> None:
        """End."""


@dataclass
class Counters:
    """Numbers of alerts.

    :ivar retries: how often something was sent in vain, and had to be sent again.
    :ivar refused: alerts that the sink will never take.
    :ivar unreadable: records that are no alerts.
    """

    delivered: int = 0
    retries: int = 0
    refused: int = 0
    unreadable: int = 0


class Delivery:
    """Sends each alert until the sink has it, in the order of the topic, in a thread of its own.

    :param open_inbox: is called in the thread.
    """

    def __init__(self, sink: Sink, open_inbox: Callable[[], Source]) -> None:
        self._sink = sink
        self._open_inbox = open_inbox
        self._urgent: deque[tuple[Alert, int]] = deque()
        self._record: Record | None = None
        self._told = ""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"deliver-{sink.name}", daemon=True)
        self.counters = Counters()

    @property
    def name(self) -> str:
        """The name of the sink."""
        return self._sink.name

    @property
    def running(self) -> bool:
        """Whether it does its work; a process in which it does not should end."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Deliver from now on."""
        self._thread.start()

    def end(self) -> None:
        """Begin nothing more."""
        self._ended.set()

    def stop(self) -> None:
        """End, with what is being sent."""
        self.end()
        self._thread.join(SECONDS_TO_END)

    def urgent(self, alert: Alert) -> None:
        """Send an alert as soon as possible, before it is in Kafka; from there it comes once more."""
        self._urgent.append((alert, now_ms()))

    def waiting_s(self) -> float:
        """Return the age of the oldest alert known here that the sink has not taken; 0 if there is none."""
        record = self._record
        since = [born for _alert, born in list(self._urgent)] + ([record.append_ms] if record else [])
        return max(0.0, (now_ms() - min(since)) / 1000) if since else 0.0

    def _run(self) -> None:
        inbox = self._open_inbox()
        with contextlib.closing(inbox), contextlib.suppress(RetryError):
            while not self._ended.is_set():
                self._record = inbox.take(POLL_S)
                until_it_works(self._ended, UnreachableError, self._failed)(self._send_what_is_due)
                if self._told:
                    log.info("%s takes alerts again", self.name)
                    self._told = ""
                if self._record:
                    inbox.taken(self._record)

    def _send_what_is_due(self) -> None:
        while self._urgent:
            self._send(self._urgent[0][0])
            self._urgent.popleft()
        self._try("what is sent again", self._sink.refresh)
        if self._record and self._record.alert:
            self._send(self._record.alert)
        elif self._record:
            self.counters.unreadable += 1
            where = f"{self._record.partition}-{self._record.offset}"
            log.error("record %s of the topic is passed over, it is no alert: %s", where, self._record.fault)

    def _send(self, alert: Alert) -> None:
        if self._try(f"{alert.id} {alert.state.value}", partial(self._sink.send, alert)):
            self.counters.delivered += 1

    def _try(self, what: str, action: Callable[[], None]) -> bool:
        """Tell whether the sink has taken it; else it is passed over."""
        try:
            action()
        except UnreachableError:
            raise
        except RefusedError as refused:
            log.error("%s refuses %s, which is passed over: %s", self.name, what, refused)
        except Exception:
            # Whatever is the matter with one alert, those behind it have to get out.
            log.exception("%s is not sent to %s, and passed over", what, self.name)
        else:
            return True
        self.counters.refused += 1
        return False

    def _failed(self, why: Exception) -> None:
        self.counters.retries += 1
        if str(why) != self._told:
            self._told = str(why)
            log.warning("%s takes no alerts, they wait: %s", self.name, why)


def now_ms() -> int:
    """Return the time, milliseconds since 1970."""
    return time.time_ns() // 1_000_000
