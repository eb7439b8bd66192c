"""How long messages took, from the moment their device sent them first to three places."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from .account import arrivals

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .ledger import Device, Stage

PUBACK, APPEND = "PUBACK", "append"


class Latency(NamedTuple):
    """Of so many messages, in ms."""

    count: int
    p50: float
    p99: float
    max: float


class Taken(NamedTuple):
    """When a message was sent, in ms after the stage began, and how long it took, in ms."""

    sent: float
    ms: float


def consumer(group: str) -> str:
    """Return the name of the way to a consumer group."""
    return f"consumer {group}"


def ways(stage: Stage) -> list[str]:
    """Return the names of the ways that this stage has times of.

    QoS 0 has no acknowledgement. Append times are of another clock: without its offset they say nothing.
    """
    acknowledged = [PUBACK] if stage.qos else []
    return [*acknowledged, *([APPEND] if stage.clock else []), *(consumer(name) for name in stage.groups)]


def taken(device: Device, stage: Stage) -> dict[str, list[Taken]]:
    """Return how long each message of a device took on each way; only its first arrival counts."""
    found = {way: [] for way in ways(stage)}
    if PUBACK in found:
        pairs = zip(device.sent, device.acked, strict=True)
        found[PUBACK] = [Taken(sent, ms - sent) for sent, ms in pairs if ms is not None]
    if stage.clock:
        found[APPEND] = arrived(device.sent, device.stored, stage.clock.offset_ms)
    for group in stage.groups:
        found[consumer(group)] = arrived(device.sent, device.groups.get(group, []))
    return found


def arrived(sent: Sequence[float], pairs: Iterable[list[float]], ahead_ms: float = 0) -> list[Taken]:
    """Return how long what was sent took to a place whose clock is ahead by so much."""
    first = arrivals(pairs).first.items()
    return [Taken(sent[number], ms - ahead_ms - sent[number]) for number, ms in first if number < len(sent)]


def percentile(ordered: Sequence[float], part: float) -> float:
    """Return the smallest value that at least this part of all does not exceed (nearest rank)."""
    return ordered[max(math.ceil(part * len(ordered)) - 1, 0)]


def latency(values: Iterable[float]) -> Latency | None:
    """Return what a set of latencies is like; None if it is empty."""
    ordered = sorted(values)
    if not ordered:
        return None
    return Latency(len(ordered), percentile(ordered, 0.5), percentile(ordered, 0.99), ordered[-1])
