"""Spans of time in words."""

from __future__ import annotations

UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000))


def span(milliseconds: float) -> str:
    """Return a span as the rules file writes it, in its two largest units: 30s, 1m 5s, 7d."""
    rest, parts = round(abs(milliseconds)), []
    for unit, size in UNITS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    # A fraction says something of seconds alone.
    seconds = rest // 1000 if parts else rest / 1000
    if seconds or not parts:
        parts.append(f"{seconds:g}s")
    return " ".join(parts[:2])
