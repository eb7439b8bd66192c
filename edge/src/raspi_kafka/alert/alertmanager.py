"""Alerts to a Prometheus Alertmanager (API v2)."""

from __future__ import annotations

import json
import re
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import UnreachableError
from .alert import State
from .poster import Poster

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .alert import Alert

PATH = "/api/v2/alerts"
# As Prometheus does it: each minute, good for four, and what is over for 15 minutes more, so that an Alertmanager that
# was started anew meanwhile has both to tell.
INTERVAL_S = 60.0
GOOD_FOR = 4
TOLD_AFTER_END_S = 900.0
ALERTS_IN_A_POST = 64


class Sent(NamedTuple):
    """The last alert of an episode.

    :ivar until: when it need not be sent again any more, by the monotonic clock.
    """

    alert: Alert
    until: float = float("inf")


class Alertmanager:
    """One Alertmanager. It forgets what it is not sent again, so this remembers it.

    Of a cluster each member is a sink of its own: they do not tell each other alerts, and one that is away must not
    keep them from the others.

    :param url: without PATH.
    """

    def __init__(self, url: str, authorization: str | None, interval_s: float = INTERVAL_S) -> None:
        self.name = "alertmanager-" + re.sub(r"[^A-Za-z0-9.]+", "-", url.partition("://")[2]).strip("-")
        self._poster = Poster(url.rstrip("/") + PATH, authorization)
        self._interval_s = interval_s
        self._due = 0.0
        # To Alertmanager the labels name an alert, and so the episodes of a rule and a device are one after another.
        self._sent: dict[tuple[str, str], Sent] = {}

    def restore(self, firing: Iterable[Alert]) -> None:
        """Send these again too: what the last process has sent and is not over."""
        for alert in firing:
            self._sent.setdefault((alert.rule, alert.device), Sent(alert))

    def send(self, alert: Alert) -> None:
        """Return once it has it.

        :raises UnreachableError: it has not.
        :raises RefusedError: it never will.
        """
        self._post([alert])
        over = alert.state is State.RESOLVED
        until = time.monotonic() + TOLD_AFTER_END_S if over else float("inf")
        self._sent[alert.rule, alert.device] = Sent(alert, until)

    def refresh(self) -> None:
        """Send again what is to be remembered, if it is time.

        :raises UnreachableError: it was not taken.
        :raises RefusedError: it never will be.
        """
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + self._interval_s
        self._sent = {key: sent for key, sent in self._sent.items() if now < sent.until}
        alerts = [sent.alert for sent in self._sent.values()]
        try:
            for first in range(0, len(alerts), ALERTS_IN_A_POST):
                self._post(alerts[first : first + ALERTS_IN_A_POST])
        except UnreachableError:
            self._due = now
            raise

    def _post(self, alerts: list[Alert]) -> None:
        now_ms = time.time_ns() // 1_000_000
        good_until_ms = now_ms + round(GOOD_FOR * self._interval_s * 1000)
        self._poster.post(json.dumps([said(alert, now_ms, good_until_ms) for alert in alerts]).encode())


def said(alert: Alert, now_ms: int, good_until_ms: int) -> dict[str, Any]:
    """Return what Alertmanager is told.

    A device whose clock is ahead may begin an episode after the look that ended it: Alertmanager refuses an alert that
    ends before it starts, and one that ends in the future is active until then.

    :param good_until_ms: when an alert that is not sent again is over.
    """
    ends_ms = good_until_ms if alert.state is State.FIRING else min(alert.decided_ms, now_ms)
    return {
        "labels": {
            "alertname": alert.rule,
            "device": alert.device,
            "severity": alert.severity,
            "source": "raspi-kafka",
        },
        "annotations": {"summary": alert.summary, "id": alert.id},
        "startsAt": rfc3339(min(alert.since_ms, alert.decided_ms, now_ms)),
        "endsAt": rfc3339(ends_ms),
    }


def rfc3339(ms: int) -> str:
    """Return a time as RFC 3339 has it."""
    return datetime.fromtimestamp(ms / 1000, timezone.utc).isoformat(timespec="milliseconds")
