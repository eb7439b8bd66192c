"""The bridge and Telegraf between the same Mosquitto and Kafka: what each costs, how late it is and what it loses."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.bridge.bridge import Bridge
from tests.bridge.kafka import Kafka
from tests.hosts import archive
from tests.hosts.step import Failure, step

from . import telegraf
from .line import DEVICES, Engine, Line, Moment, Outcome, peak_mib, turn
from .table import Row, computer, load, table

ROUNDS = 3
# After one, Kafka still spends twice the CPU on a message that it spends in the end, and takes it from the engine.
DRAINS_TO_WARM_UP = 5
QUEUED = 100_000
FILL_RATE = 20_000
WARM_S = 4
SECONDS = 12
IDLE_S = 16  # the bridge looks after itself every 15 s
SECONDS_TO_SEND = 180
FAULTS = ("lost", "duplicated", "disordered")

OURS, SOON, STOCK = "bridge", "bridge with linger_ms 5", "Telegraf"
ENGINES: dict[str, Engine] = {OURS: Bridge, SOON: partial(Bridge, linger_ms=5), STOCK: telegraf.Telegraf}

Figures = dict[str, float]
Found = dict[str, list[Figures]]


@dataclass
class Bench:
    """One Kafka for all turns, and the engines that this machine has."""

    root: Path
    kafka: Kafka
    engines: list[str]
    turns: int = 0

    def alternate(self, what: str, measure: Callable[[Line], Figures], names: Sequence[str]) -> Found:
        """Measure one engine after the other, again and again, so that a busy machine hits all."""
        found: Found = {name: [] for name in ENGINES}
        for number in range(1, ROUNDS + 1):
            for name in (name for name in names if name in self.engines):
                found[name].append(self.once(f"{what}: {name}, round {number} of {ROUNDS}", name, measure))
        return found

    def once(self, title: str, name: str, measure: Callable[[Line], Figures]) -> Figures:
        self.turns += 1
        with step(title):
            try:
                with turn(self.root / f"turn-{self.turns}", self.kafka, ENGINES[name]) as line:
                    return measure(line)
            except AssertionError as wrong:
                raise Failure(f"cannot measure {title}", str(wrong), "run it again on a quiet machine") from wrong


@contextlib.contextmanager
def ready() -> Iterator[Bench]:
    """Kafka on this machine, warm: it has compiled what it needs."""
    with tempfile.TemporaryDirectory(prefix="raspi-kafka-bench-") as folder, contextlib.ExitStack() as stack:
        root = Path(folder)
        shutil.unpack_archive(archive.build().path, root / "release")
        (libs,) = (root / "release").glob("*/libs")
        kafka = Kafka(root / "kafka", f"{libs}/*")
        stack.callback(kafka.clean_up)
        with step("start Kafka"):
            kafka.start()
        bench = Bench(root, kafka, [OURS, SOON, *([STOCK] if telegraf.program() else [])])
        for _drain in range(DRAINS_TO_WARM_UP):
            bench.once("warm Kafka up", OURS, drain)
        yield bench


def drain(line: Line) -> Figures:
    """The engine finds a queue that has grown while it was away."""
    line.start()
    line.engine.stop()
    before = line.records()
    assert line.devices(FILL_RATE, QUEUED).ended(SECONDS_TO_SEND) == 0
    line.engine.start()
    first = line.reach(before + 1)  # from here on, so that nobody's start counts
    last = line.reach(before + QUEUED)
    count = last.records - first.records
    return {
        "rate": count / (last.clock - first.clock),
        "engine": 1e6 * (last.engine - first.engine) / count,
        "kafka": 1e6 * (last.kafka - first.kafka) / count,
        "peak": peak_mib(line.engine.pid),
        **faults(line.outcome()),
    }


def steady(rate: int, line: Line) -> Figures:
    """Devices send at a rate that the engine can hold."""
    line.start()
    count = rate * (WARM_S + SECONDS + 1)
    before = line.records()
    devices = line.devices(rate, count)
    begin = line.reach(before + rate * WARM_S)
    time.sleep(SECONDS)
    end = line.moment()
    assert devices.ended(SECONDS_TO_SEND) == 0
    line.reach(before + count)
    outcome = line.outcome()
    delays = outcome.delays(begin, end)
    return {
        **busy(begin, end),
        "p50": delays[len(delays) // 2],
        "p99": delays[len(delays) * 99 // 100],
        "peak": peak_mib(line.engine.pid),
        **faults(outcome),
    }


def idle(line: Line) -> Figures:
    """No device sends."""
    line.start()
    time.sleep(WARM_S)
    begin = line.moment()
    time.sleep(IDLE_S)
    end = line.moment()
    return {**busy(begin, end), "peak": peak_mib(line.engine.pid)}


def faults(outcome: Outcome) -> Figures:
    """Return how many messages were lost, duplicated, and out of the order of their device."""
    return {name: getattr(outcome.account, name) for name in FAULTS}


def busy(begin: Moment, end: Moment) -> Figures:
    """Return the percentage of a core that each used."""
    seconds = end.clock - begin.clock
    return {"engine": 100 * (end.engine - begin.engine) / seconds, "kafka": 100 * (end.kafka - begin.kafka) / seconds}


class Pair:
    """Rows of a table out of the figures of two engines."""

    def __init__(self, found: Found, ours: str = OURS) -> None:
        self._ours, self._stock = found[ours], found[STOCK]

    def row(self, what: str, key: str, **target: float) -> Row:
        """The rounds, whose median is told."""
        return Row(what, [each[key] for each in self._ours], [each[key] for each in self._stock], **target)

    def faults(self) -> list[Row]:
        """The sums of all rounds: one message is one too many."""
        return [
            Row(
                name,
                *([sum(each[name] for each in side)] if side else [] for side in (self._ours, self._stock)),
                limit=0,
            )
            for name in FAULTS
        ]


def tables(bench: Bench) -> Iterator[str]:
    """Measure in turns; yield each table as soon as it is known."""
    pair = Pair(bench.alternate("drain", drain, (OURS, STOCK)))
    rows = [
        pair.row("messages/s", "rate", least=2),
        pair.row("its CPU, ms per 1000 messages", "engine", target=0.33),
        pair.row("Kafka's CPU, ms per 1000 messages", "kafka"),
        pair.row("RSS at most, MiB", "peak", limit=64),
        *pair.faults(),
    ]
    notes = "The queue grew in Mosquitto while the engine was away; without the time that the engine took to start."
    yield table(f"A queue of {QUEUED:,} messages", rows, notes)

    found = bench.alternate("350 messages/s", partial(steady, 350), (OURS, STOCK, SOON))
    yield table("350 messages/s", during(Pair(found), {"p99": {"limit": 30}, "engine": {"target": 1}}), "")
    soon = during(Pair(found, SOON), {"p99": {"limit": 15}, "engine": {"limit": 10}})
    yield table(
        "350 messages/s, the bridge with linger_ms 5", soon, "Telegraf as in the table above, in turn with both."
    )

    pair = Pair(bench.alternate("3,000 messages/s", partial(steady, 3000), (OURS, STOCK)))
    yield table("3,000 messages/s", during(pair, {"p99": {"target": 0.33}, "engine": {"target": 0.5}}), "")

    pair = Pair(bench.alternate("idle", idle, (OURS, STOCK)))
    rows = [pair.row("its CPU, % of a core", "engine", limit=0.5), pair.row("RSS at most, MiB", "peak", limit=64)]
    yield table("Nothing to do", rows, f"Over {IDLE_S} s. The bridge serves metrics and counts what Mosquitto drops.")


def during(pair: Pair, targets: dict[str, dict[str, float]]) -> list[Row]:
    """Return the rows of a steady load."""
    return [
        pair.row("device to Kafka's log, p50, ms", "p50"),
        pair.row("device to Kafka's log, p99, ms", "p99", **targets["p99"]),
        pair.row("its CPU, % of a core", "engine", **targets["engine"]),
        pair.row("Kafka's CPU, % of a core", "kafka"),
        pair.row("RSS at most, MiB", "peak", limit=64),
        *pair.faults(),
    ]


def main() -> str:
    """Without Telegraf the bridge is measured alone."""
    with ready() as bench:
        began = load()
        found = list(tables(bench))
    stock = f"stock is {telegraf.version()}" if telegraf.program() else f"no Telegraf ({telegraf.HOW_TO_GET})"
    head = f"""\
{computer()}; load {began} to {load()}
Kafka {archive.VERSION}, Mosquitto {mosquitto_version()}, {stock}; {DEVICES} devices.
Medians of {ROUNDS} rounds, in turns, each with a Mosquitto and topics of its own; faults are those of all rounds.
A rate was held for {SECONDS} s, after {WARM_S} s. Delays are by one clock, that of device and Kafka.
"""
    return "\n".join([head, *found])


def mosquitto_version() -> str:
    told = subprocess.run(["/usr/sbin/mosquitto", "-h"], capture_output=True, text=True, timeout=60, check=False)
    return told.stdout.split()[2]
