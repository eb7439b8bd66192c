"""Alerts to a program of one's own, by HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from .poster import Poster

if TYPE_CHECKING:
    from . import config_sinks
    from .alert import Alert


class Webhook:
    """POSTs one alert at a time, as it stands in Kafka.

    The receiver can tell a repetition by the header Idempotency-Key, which is the same each time.
    """

    name = "webhook"

    def __init__(self, wanted: config_sinks.Webhook) -> None:
        self._poster = Poster(wanted.url, wanted.authorization)

    def send(self, alert: Alert) -> None:
        """Return once the receiver has it.

        :raises UnreachableError: it has not.
        :raises RefusedError: it never will.
        """
        self._poster.post(alert.to_json(), {"Idempotency-Key": key(alert)})

    def refresh(self) -> None:
        """Do nothing: the receiver keeps what it has."""


def key(alert: Alert) -> str:
    """Return what is the same for the same alert, of characters that a header may have."""
    return quote(f"{alert.id}/{alert.state.value}")
