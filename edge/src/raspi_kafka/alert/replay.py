"""What rules would have done with recorded data."""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from typing import TYPE_CHECKING

from .alert import State
from .engine import Engine
from .event import iso
from .sight import Seen, Sight

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .alert import Alert
    from .record import Record
    from .rules import Rules

# Less finds no other silences, since those that are over are found too.
LOOK_EVERY_MS = 1000


def replay(engine: Engine, records: Iterable[Record]) -> Iterator[Alert]:
    """Yield the alerts of records, which are taken in the order in which Kafka appended them.

    Of the pipeline nothing is recorded, so it counts as proven all the time: from the first record to the newest one
    of all partitions, whoever was not heard is silent.
    """
    partitions: dict[tuple[str, int], list[Record]] = {}
    for record in records:
        partitions.setdefault((record.topic, record.partition), []).append(record)
    for each in partitions.values():
        each.sort(key=lambda record: record.offset)
    merged = heapq.merge(*partitions.values(), key=lambda record: record.append_ms)
    first_ms = looked_ms = None
    for record in merged:
        if first_ms is None:
            first_ms = looked_ms = record.append_ms
        if record.append_ms - looked_ms >= LOOK_EVERY_MS:
            looked_ms = record.append_ms
            yield from look(engine, partitions, first_ms, looked_ms)
        yield from engine.take(record)
    if first_ms is not None:
        newest_ms = max(records[-1].append_ms for records in partitions.values())
        yield from look(engine, partitions, first_ms, newest_ms)


def look(engine: Engine, partitions: Iterable[tuple[str, int]], since_ms: int, until_ms: int) -> Iterator[Alert]:
    """Let an engine know that all until then has been taken."""
    sight = Sight(Seen(since_ms, until_ms, int), {})
    return itertools.chain.from_iterable(engine.known(*each, sight) for each in partitions)


def lines(rules: Rules, records: Iterable[Record]) -> Iterator[str]:
    """Yield a line for each alert, and in the end the counts of each rule."""
    engine = Engine(rules)
    counts: dict[str, Counter[State]] = {rule.name: Counter() for rule in rules.rules}
    for alert in replay(engine, records):
        counts[alert.rule][alert.state] += 1
        yield f"{iso(alert.decided_ms)} {alert.state.value:8} {alert.rule} {alert.device}: {alert.summary}"
    for name, count in counts.items():
        raised, resolved = count[State.FIRING], count[State.RESOLVED]
        late = f", {engine.late[name]} late events" if engine.late[name] else ""
        yield f"{name}: {raised} raised, {resolved} resolved, {raised - resolved} still firing{late}"
