"""What alerting told of what was planted in a stage."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..load_test.judged import RULES, SILENT_AFTER_S
from ..simulate.options import KINDS, SPIKE
from .account import arrivals
from .latency import Latency, latency
from .ledger import FIRING, RESOLVED

if TYPE_CHECKING:
    from .ledger import Alert, Device, Planted, Stage


@dataclass(frozen=True)
class Alerting:
    """Names are devices, for what was planted, and ids of episodes.

    :ivar planted: how many alerts had to come, or came.
    :ivar false: of a rule of the load test, and nothing was planted for it.
    :ivar doubled: told twice with the same state.
    :ivar unresolved: without an end.
    :ivar latencies: by kind; None if there was none. From when the record is in Kafka that decides, for a silence
        from when it has lasted as long as the rule says, until the alert is.
    """

    planted: int
    raised: int
    missed: list[str]
    false: list[str]
    doubled: list[str]
    unresolved: list[str]
    latencies: dict[str, Latency | None]

    @property
    def held(self) -> bool:
        """Whether each alert came that had to, once, with its end, and no other one."""
        return not (self.missed or self.false or self.doubled or self.unresolved)


def alerting(stage: Stage) -> Alerting | None:
    """Return what alerting told; None if it was not there, or had nothing to tell."""
    if stage.alerts is None or not stage.planted:
        return None
    firing = {each.id: each for each in reversed(stage.alerts) if each.state == FIRING}
    left = dict(sorted(firing.items(), key=lambda item: item[1].append))
    late: dict[str, list[float]] = {kind: [] for kind in KINDS}
    missed = []
    for each in stage.planted:
        from_ms = due_at(each, stage.devices[each.device])
        found = raised(each, from_ms, left)
        if found:
            del left[found.id]
            late[each.kind].append(found.append - (found.decided if each.kind == SPIKE else from_ms))
        elif each.due:
            missed.append(each.device)
    times = Counter((each.id, each.state) for each in stage.alerts)
    count = sum(map(len, late.values()))
    return Alerting(
        planted=count + len(missed),
        raised=count,
        missed=missed,
        false=list(left),
        doubled=sorted({id_ for (id_, _state), often in times.items() if often > 1}),
        unresolved=sorted(id_ for id_ in firing if (id_, RESOLVED) not in times),
        latencies={kind: latency(each) for kind, each in late.items()},
    )


def due_at(planted: Planted, device: Device) -> float:
    """Return when there was reason for an alert, by Kafka's clock: with the first record of a spike that it stored.

    For a silence that is when it had lasted long enough after the last record.
    """
    at = device.sent.index(planted.began)
    stored = arrivals(device.stored).first
    if planted.kind == SPIKE:
        return min((ms for number, ms in stored.items() if number >= at), default=planted.began)
    return max((ms for number, ms in stored.items() if number <= at), default=planted.began) + 1000 * SILENT_AFTER_S


def raised(planted: Planted, from_ms: float, firing: dict[str, Alert]) -> Alert | None:
    """Return the first alert that tells of it."""
    rule = RULES[planted.kind]
    return next(
        (
            each
            for each in firing.values()
            if (each.rule, each.device) == (rule, planted.device) and each.decided >= from_ms
        ),
        None,
    )
