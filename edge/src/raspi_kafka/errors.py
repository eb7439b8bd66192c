"""Why something outside has not taken what it was given."""

from __future__ import annotations


class UnreachableError(Exception):
    """Nothing is taken now; what was sent has to be sent again. The text says what to do."""


class RefusedError(Exception):
    """This one will never be taken, however often it is sent."""
