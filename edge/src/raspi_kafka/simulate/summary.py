"""What a run comes to."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING

from .samples import spread

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .options import Options
    from .worker import Result

# What a message is acknowledged by, by QoS.
ANSWERS = ("answer", "PUBACK", "PUBCOMP")
DEVICES_NAMED = 5
FAULTS_NAMED = 5


def text(wanted: Options, results: Sequence[Result]) -> str:
    """Return a table of a few lines."""
    rows = [
        ("devices", f"{len(wanted.devices)}, {total(results, 'connected')} connected"),
        ("messages", messages(wanted, results)),
        ("un-acked", unacknowledged(results)),
        ("refused", str(total(results, "refused"))),
        ("disconnects", str(total(results, "disconnects"))),
        (ANSWERS[wanted.qos], times(each.acked_ms for each in results)),
        ("own lag", times(each.lags_ms for each in results)),
        ("own load", load(results)),
        *(("reason", told) for told in faults(results)),
    ]
    return "\n".join(f"{name:<12} {said}" for name, said in rows)


def total(results: Sequence[Result], name: str) -> int:
    """Return a number of all workers."""
    return sum(getattr(each, name) for each in results)


def messages(wanted: Options, results: Sequence[Result]) -> str:
    """Return how many were made, acknowledged and sent again."""
    known = "acked" if wanted.qos else "sent"
    return (
        f"{total(results, 'made')} at QoS {wanted.qos}, {total(results, 'acknowledged')} {known}, "
        f"{total(results, 'resent')} sent again"
    )


def unacknowledged(results: Sequence[Result]) -> str:
    """Return how many messages were not acknowledged, and of which devices the most."""
    open_ = Counter({device: count for each in results for device, count in each.open.items()})
    if not open_:
        return "0"
    named = ", ".join(f"{device} ({count})" for device, count in open_.most_common(DEVICES_NAMED))
    more = f" and {len(open_) - DEVICES_NAMED} more devices" if len(open_) > DEVICES_NAMED else ""
    return f"{open_.total()}: {named}{more}"


def times(samples: Iterable[Iterable[float]]) -> str:
    """Return the percentiles of all workers' samples together."""
    found = list(chain.from_iterable(samples))
    return str(spread(found)) if found else "none"


def load(results: Sequence[Result]) -> str:
    """Return what the workers have cost in the hold."""
    return f"{total(results, 'cores'):.2f} of a core, {total(results, 'rss_mib'):.0f} MiB"


def faults(results: Sequence[Result]) -> list[str]:
    """Return what went wrong most often."""
    found: Counter[str] = Counter()
    for each in results:
        found.update(each.faults)
    return [f"{count} times: {told}" for told, count in found.most_common(FAULTS_NAMED)]
