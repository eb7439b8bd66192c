"""The ledgers that several generators wrote of one run, as one.

Times of each are of its own clock. Kafka's, with which each has compared it, brings them to that of the first; how long
a message took stays what its generator saw.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from . import ledger as ledgers
from .ledger import LedgerError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .ledger import Ledger

    Json = dict[str, Any]

ADVICE = "give the report the ledgers that the generators of one run wrote"
OF_A_RUN = ("run", "mqtt", "kafka", "topic", "product")
OF_A_STAGE = ("rate", "qos", "ramp", "seconds")
LATENESS = ("p50", "p99", "max")


class Part(NamedTuple):
    """The ledger of one generator.

    :ivar name: of its host; with a number where another one is called so too.
    :ivar ahead_ms: the first generator's clock less its own; 0 if that is not known of all.
    """

    path: Path
    name: str
    ahead_ms: float
    said: Json


def load(paths: Sequence[Path], merged: Path | None) -> Ledger:
    """Return what the ledgers of a run say together; on stderr which stages they have not in common.

    :param merged: where that is written too.
    :raises LedgerError: one can't be read, they do not fit, or the file can't be written.
    """
    every = [ledgers.said_by(path) for path in paths]
    for path, said in zip(paths, every, strict=True):
        ledgers.ledger(said, str(path))
    whole = together(paths, every)
    for path, said in zip(paths, every, strict=True):
        if len(said["stages"]) > len(whole["stages"]):
            print(f"{path}: another generator has only {len(whole['stages'])} of its stages", file=sys.stderr)
    if merged:
        try:
            merged.write_text(json.dumps(whole, separators=(",", ":")), encoding="utf-8")
        except OSError as wrong:
            raise LedgerError(f"{merged}: it can't be written: {wrong.strerror}; give --merged another file") from wrong
    return ledgers.ledger(whole, ", ".join(map(str, paths)))


def together(paths: Sequence[Path], every: Sequence[Json]) -> Json:
    """Return one ledger, of which each stage has the devices of all generators.

    A stage that one of them did not run is none.

    :raises LedgerError: they are not of one run, or a device or a time is not of one stage.
    """
    first = every[0]
    if len(every) == 1:
        return first
    for path, said in zip(paths, every, strict=True):
        same(OF_A_RUN, first, said, f"{path}: its")
    clocks = [said["clock"] for said in every]
    offsets = [clock["offset_ms"] if all(clocks) else 0 for clock in clocks]
    parts = [
        Part(path, name, offset - offsets[0], said)
        for path, name, offset, said in zip(paths, names(every), offsets, every, strict=True)
    ]
    return {
        **first,
        "began": min(each.said["began"] + each.ahead_ms / 1000 for each in parts),
        "generators": [generator for said in every for generator in said["generators"]],
        "clock": {**first["clock"], "error_ms": max(each["error_ms"] for each in clocks)} if all(clocks) else None,
        "stages": [stage(parts, number) for number in range(min(len(said["stages"]) for said in every))],
    }


def same(keys: Sequence[str], first: Json, other: Json, place: str) -> None:
    """Compare what all ledgers have to say alike.

    :raises LedgerError: they do not.
    """
    for key in keys:
        if other[key] != first[key]:
            raise LedgerError(f"{place} {key} is {other[key]}, and that of the first ledger {first[key]}; {ADVICE}")


def names(every: Sequence[Json]) -> list[str]:
    """Return what each generator is called."""
    hosts = [" and ".join(each["host"] for each in said["generators"]) for said in every]
    often = Counter(hosts)
    return [host if often[host] == 1 else f"{host} {number}" for number, host in enumerate(hosts, 1)]


def stage(parts: Sequence[Part], number: int) -> Json:
    """Return a stage with the devices of all generators.

    :raises LedgerError: they do not fit.
    """
    stages = [each.said["stages"][number] for each in parts]
    first = stages[0]
    for part, said in zip(parts, stages, strict=True):
        same(OF_A_STAGE, first, said, f"{part.path}: stages[{number}]:")
    starts = [said["began"] + part.ahead_ms / 1000 for part, said in zip(parts, stages, strict=True)]
    began = min(starts)
    apart = round(max(starts) - began, 1)
    if apart >= first["seconds"]:
        raise LedgerError(
            f"{parts[starts.index(max(starts))].path}: stages[{number}] began {apart:g} s after that of another "
            f"generator, and no moment had all devices; look at the clocks of their hosts, or {ADVICE}"
        )
    # Rounded once, so that the difference of two times stays what it was.
    later = [round((start - began) * 1000, 3) for start in starts]
    groups = sorted({name for said in stages for name in said["group_lag"]})
    moved = [shifted(said, part, ms) for said, part, ms in zip(stages, parts, later, strict=True)]
    told = [said["alerts"] for said in moved]
    return {
        **first,
        "devices_wanted": sum(said["devices_wanted"] for said in stages),
        "ramp": round(first["ramp"] + apart, 3),
        "seconds": round(first["seconds"] - apart, 3),
        "began": began,
        "ended": max(said["ended"] + part.ahead_ms / 1000 for part, said in zip(parts, stages, strict=True)),
        "lag_ms": {name: max(said["lag_ms"][name] for said in stages) for name in LATENESS},
        "devices": devices(parts, moved, number),
        # All have read the same topic; who read longest knows most.
        "real": max((said["real"] for said in stages), key=lambda real: sum(map(len, real.values()))),
        "planted": sorted((each for said in moved for each in said["planted"]), key=lambda each: each[2]),
        "alerts": None if None in told else [each for said in told for each in said],
        "events": sorted(event for said in moved for event in said["events"]),
        "group_lag": {name: furthest([said["group_lag"].get(name, []) for said in moved]) for name in groups},
        "processes": {name: samples for said in moved for name, samples in said["processes"].items()},
    }


def shifted(said: Json, part: Part, later_ms: float) -> Json:
    """Return what has times in a stage that began so much later, and what is called after its generator."""
    by_kafka = later_ms - part.ahead_ms

    def moved(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
        return [[round(ms + later_ms, 3), *rest] for ms, *rest in rows]

    def arrived(pairs: Sequence[Sequence[Any]], by_ms: float) -> list[list[Any]]:
        return [[number, round(ms + by_ms, 3)] for number, ms in pairs]

    return {
        "devices": {
            name: {
                **each,
                "sent": [round(ms + later_ms, 3) for ms in each["sent"]],
                "acked": [None if ms is None else round(ms + later_ms, 3) for ms in each["acked"]],
                "stored": arrived(each["stored"], by_kafka),
                "groups": {group: arrived(pairs, later_ms) for group, pairs in each["groups"].items()},
            }
            for name, each in said["devices"].items()
        },
        "planted": [
            [device, kind, *(None if ms is None else round(ms + later_ms, 3) for ms in times)]
            for device, kind, *times in said["planted"]
        ],
        "alerts": said["alerts"]
        and [[*each[:4], *(round(ms + by_kafka, 3) for ms in each[4:])] for each in said["alerts"]],
        "events": [[ms, f"{part.name}: {what}", kind] for ms, what, kind in moved(said["events"])],
        "group_lag": {name: moved(samples) for name, samples in said["group_lag"].items()},
        "processes": {f"{part.name} {name}": moved(samples) for name, samples in said["processes"].items()},
    }


def devices(parts: Sequence[Part], stages: Sequence[Json], number: int) -> Json:
    """Return the devices of all generators.

    :raises LedgerError: two have the same.
    """
    found: Json = {}
    for part, said in zip(parts, stages, strict=True):
        twice = sorted(found.keys() & said["devices"].keys())
        if twice:
            raise LedgerError(
                f"{part.path}: stages[{number}] has the device {twice[0]}, which another ledger has too; {ADVICE}"
            )
        found |= said["devices"]
    return found


def furthest(groups: Sequence[Sequence[Sequence[float]]]) -> list[list[float]]:
    """Return how far that of some groups is behind which is furthest, at each moment of which one of them tells."""
    if not all(groups):
        return []  # of one of them nothing is known
    last: dict[int, float] = {}
    found = []
    for ms, at, records in sorted((ms, at, records) for at, samples in enumerate(groups) for ms, records in samples):
        last[at] = records
        found.append([ms, max(last.values())])
    return found
