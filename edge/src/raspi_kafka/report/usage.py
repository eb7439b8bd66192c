"""What processes used."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from .ledger import LedgerError, Sample

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .ledger import Ledger, Stage


class Usage(NamedTuple):
    """Of one process between its first and last sample.

    :ivar cpu_percent: of one core.
    :ivar written_bytes: None if that is not known.
    """

    cpu_percent: float
    rss_max_bytes: int
    written_bytes: int | None


def grown(before: float, after: float) -> float:
    """Return by how much a sum grew; a smaller one is that of a process that was started anew, from zero."""
    return after - before if after >= before else after


def usage(samples: Sequence[Sample]) -> Usage | None:
    """Return what a process used; None if it was not seen twice."""
    pairs = list(pairwise(samples))
    took_ms = samples[-1].ms - samples[0].ms if pairs else 0
    if took_ms <= 0:
        return None
    cpu_s = sum(grown(before.cpu_s, after.cpu_s) for before, after in pairs)
    sums = [each.written_bytes for each in samples]
    known = [each for each in sums if each is not None]
    written = int(sum(grown(*pair) for pair in pairwise(known))) if len(known) == len(sums) else None
    return Usage(100_000 * cpu_s / took_ms, max(each.rss_bytes for each in samples), written)


def merged(ledger: Ledger, sampled: Mapping[str, Sequence[Sample]]) -> Ledger:
    """Return the ledger with processes that were sampled on their hosts, each sample in the stage that it fell into.

    :param sampled: with times in ms since the epoch.
    :raises LedgerError: a process is in the ledger already, or none of its samples fell into a stage.
    """
    for name, samples in sampled.items():
        if any(name in stage.processes for stage in ledger.stages):
            raise LedgerError(f"the process {name} is in the ledger already; give it another name")
        if not any(within(stage, samples) for stage in ledger.stages):
            raise LedgerError(
                f"no sample of the process {name} was taken during a stage; "
                "look at the clock of its host, and whether the file is of this run"
            )
    stages = [
        replace(stage, processes={**stage.processes, **{name: within(stage, each) for name, each in sampled.items()}})
        for stage in ledger.stages
    ]
    return replace(ledger, stages=stages)


def within(stage: Stage, samples: Sequence[Sample]) -> list[Sample]:
    """Return the samples of a stage, in ms after it began."""
    began, ended = stage.began * 1000, stage.ended * 1000
    return [each._replace(ms=each.ms - began) for each in samples if began <= each.ms <= ended]
