"""What is plotted of a stage, as plain numbers."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from .latency import PUBACK, consumer, percentile, taken
from .usage import grown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .ledger import Sample, Stage

    Points = list[list[float]]

MOST_POINTS = 600
PERCENTILES = {"p50": 0.5, "p99": 0.99}


def series(stage: Stage) -> dict[str, Any]:
    """Return each plot's lines, each a list of [seconds after the stage began, value].

    A point of throughput and latency stands for the `step_s` seconds that begin with it, so that a long stage has no
    more than MOST_POINTS of them. A second without a message has no latency.

    :returns: step_s; throughput (messages per second), latency (ms, by when a message was sent), lag (records) and
        cpu (percent of one core since the point before), each by the name of the line; events ([seconds, text]).
    """
    times = moments(stage)
    last_s = max((ms for each in times.values() for ms in each), default=0) / 1000
    step_s = max(math.ceil((last_s + 1) / MOST_POINTS), 1)
    return {
        "step_s": step_s,
        "throughput": {name: throughput(each, step_s, last_s) for name, each in times.items()},
        "latency": latencies(stage, step_s),
        "lag": {name: thinned([[ms / 1000, count] for ms, count in stage.group_lag[name]]) for name in stage.groups},
        "cpu": {name: cpu(samples) for name, samples in stage.processes.items()},
        "events": [[ms / 1000, text] for ms, text, _kind in stage.events],
    }


def moments(stage: Stage) -> dict[str, list[float]]:
    """Return when messages were where, in ms after the stage began; records that come again count again."""
    devices = stage.devices.values()
    found = {"sent": [ms for each in devices for ms in each.sent]}
    if stage.qos:
        found["acked"] = [ms for each in devices for ms in each.acked if ms is not None]
    if stage.clock:
        found["stored"] = [ms - stage.clock.offset_ms for each in devices for _number, ms in each.stored]
    for name in stage.groups:
        found[f"consumed {name}"] = [ms for each in devices for _number, ms in each.groups.get(name, [])]
    return found


def throughput(times: Iterable[float], step_s: int, last_s: float) -> Points:
    """Return messages per second, with zeros from the stage's first second to its last."""
    counts = Counter(begin(ms, step_s) for ms in times)
    # The clocks of two hosts can be a little off: a record may be stored before the stage began.
    first = min([0, *counts])
    return [[second, counts[second] / step_s] for second in range(first, int(last_s) + 1, step_s)]


def begin(ms: float, step_s: int) -> int:
    """Return the second at which a moment's step begins."""
    return math.floor(ms / 1000 / step_s) * step_s


def latencies(stage: Stage, step_s: int) -> dict[str, Points]:
    """Return percentiles of what was sent in each step: to the PUBACK, and to the first consumer group."""
    shown = {PUBACK: "device to PUBACK"} if stage.qos else {}
    shown |= {consumer(name): f"device to consumer {name}" for name in stage.groups[:1]}
    steps: dict[str, dict[int, list[float]]] = {way: defaultdict(list) for way in shown}
    for device in stage.devices.values():
        for way, each in taken(device, stage).items():
            if way in shown:
                for sent, ms in each:
                    steps[way][begin(sent, step_s)].append(ms)
    ordered = {way: {second: sorted(values) for second, values in sorted(steps[way].items())} for way in shown}
    return {
        f"{title}, {label}": [[second, percentile(values, part)] for second, values in ordered[way].items()]
        for way, title in shown.items()
        for label, part in PERCENTILES.items()
    }


def cpu(samples: Sequence[Sample]) -> Points:
    """Return what a process used since the sample before, in percent of one core."""
    return [
        [after.ms / 1000, 100_000 * grown(before.cpu_s, after.cpu_s) / (after.ms - before.ms)]
        for before, after in pairwise(thinned(samples))
        if after.ms > before.ms
    ]


def thinned(points: Sequence[Any]) -> list[Any]:
    """Return every so many of them, always the last."""
    every = math.ceil(len(points) / MOST_POINTS) or 1
    return [point for number, point in enumerate(points) if (len(points) - 1 - number) % every == 0]
