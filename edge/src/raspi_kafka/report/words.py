"""The same numbers for the table and for the page, in the words of both."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from .findings import worst
from .latency import APPEND, PUBACK, consumer, ways
from .verdict import FAILED, PASSED

if TYPE_CHECKING:
    from .findings import Findings
    from .latency import Latency
    from .ledger import Generator, Ledger, Stage
    from .verdict import Row, Verdict

NOT_COMPARABLE = "not comparable"
NONE = "none"
NOT_THERE = "not there"
KIB, MIB = 1 << 10, 1 << 20


class Judged(NamedTuple):
    """A stage with what it shows."""

    stage: Stage
    findings: Findings
    verdict: Verdict


def title(stage: Stage) -> str:
    """Return what a stage is called."""
    rate = f"{stage.rate:g} message{'' if stage.rate == 1 else 's'}/s each"
    return f"{stage.devices_wanted:,} devices, {rate}, QoS {stage.qos}, {stage.seconds:g} s"


def head(ledger: Ledger) -> list[tuple[str, str]]:
    """Return what was run, where and with what."""
    clock = ledger.clock
    compared = f"ahead by {clock.offset_ms:g} ms, to within {clock.error_ms:g} ms" if clock else NOT_COMPARABLE
    return [
        ("Run", ledger.run),
        ("Began", time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(ledger.began))),
        ("raspi.kafka", ledger.product),
        ("MQTT", ledger.mqtt),
        ("Kafka", f"{ledger.kafka}, topic {ledger.topic}"),
        *(("Generator", generator(each)) for each in ledger.generators),
        ("Kafka's clock", f"{compared} (against the generator's)"),
    ]


def generator(each: Generator) -> str:
    """Return what devices ran on, and whether that is under test itself."""
    where = "on a host under test" if each.on_test_host else "not on a host under test"
    return f"{each.host}, {where}; {each.cpus} CPUs, {each.machine}"


SUMMARY = (
    "Devices",
    "Verdict",
    "Sent",
    "Lost",
    "Duplicated",
    "Out of order",
    "p99 to PUBACK",
    "p99 to consumer",
    "Lag max",
    "Lag at end",
)


def summary(each: Judged) -> list[str]:
    """Return a stage in one line, by the heads of SUMMARY; of several groups the worst counts."""
    stage, findings, verdict = each
    total = findings.total
    slowest = [found.p99 for name in stage.groups if (found := findings.latencies[consumer(name)])]
    lags = [lag for lag in findings.lag.values() if lag]
    puback = findings.latencies.get(PUBACK)
    return [
        f"{stage.devices_wanted:,}",
        verdict.state,
        f"{total.sent:,}",
        f"{total.lost:,}",
        f"{total.duplicated:,}",
        f"{total.disordered:,}",
        ms(puback.p99) if puback else NONE,
        ms(max(slowest)) if slowest else NONE,
        f"{max(lag.max for lag in lags):,}" if lags else NONE,
        f"{max(lag.end for lag in lags):,}" if lags else NONE,
    ]


def held(row: Row) -> str:
    """Return whether a claim held."""
    return (PASSED if row.held else FAILED) if row.there else NOT_THERE


def events(stage: Stage) -> list[tuple[str, str]]:
    """Return when what was done on purpose, by its kind."""
    return [(f"{when / 1000:.1f} s", f"{kind}: {text}") for when, text, kind in stage.events]


def axis(step_s: int) -> str:
    """Return what the horizontal axis of the plots is."""
    each = "second" if step_s == 1 else f"{step_s} seconds"
    return f"Plots: seconds after the stage began; a point of throughput and latency stands for the {each} after it."


def unplotted(stage: Stage) -> str:
    """Return why a line is absent from the plots; nothing if none is."""
    if stage.clock:
        return ""
    return "Stored messages are not plotted: Kafka's clock was not compared with the generator's."


LATENCIES = ("Path", "Messages", "p50", "p99", "max")
LATENCY_FROM = (
    "Latency counts from the moment a message was sent first. What it waited in the device before that, for a "
    "connection or because the MQTT broker's Receive Maximum was reached, is no part of it. That of an alert counts "
    "from the moment Kafka has the record that decides, or a silence has lasted as long as its rule says."
)


def latencies(each: Judged) -> list[list[str]]:
    """Return a line per way by the heads of LATENCIES."""
    stage, findings, _verdict = each
    ways = [PUBACK, APPEND, *(consumer(name) for name in stage.groups)]
    lines = [(f"device to {way}", findings.latencies.get(way), absent(way, stage)) for way in ways]
    if findings.alerting:
        lines += [(f"{kind} to alert", found, NONE) for kind, found in findings.alerting.latencies.items()]
    return [[name, *latency_cells(found, why)] for name, found, why in lines]


def absent(way: str, stage: Stage) -> str:
    """Return why a way has no numbers, if it has none."""
    return NOT_COMPARABLE if way == APPEND and not stage.clock else NONE


def latency_cells(found: Latency | None, absent: str) -> list[str]:
    """Return the numbers of a way, or why there are none."""
    if found:
        return [f"{found.count:,}", ms(found.p50), ms(found.p99), ms(found.max)]
    return [absent, *("-" for _head in LATENCIES[2:])]


USAGE = ("Process", "CPU (one core)", "Memory, max", "Written")


def usage(each: Judged) -> list[list[str]]:
    """Return a line per process by the heads of USAGE."""
    rows = []
    for name, used in each.findings.usage.items():
        if used:
            cells = [f"{used.cpu_percent:.1f} %", size(used.rss_max_bytes), written(used.written_bytes)]
        else:
            cells = ["seen less than twice", "-", "-"]
        rows.append([name, *cells])
    return rows


WORST = 20


def device_heads(stage: Stage) -> list[str]:
    """Return what is told of a device."""
    missing = [f"Not consumed by {name}" for name in stage.groups]
    late = [f"p99 to {way}" for way in ways(stage) if way != APPEND]
    return ["Device", "Sent", "Acked", "Stored", "Lost", *missing, "Duplicated", "Out of order", "Disconnects", *late]


def devices(each: Judged) -> list[list[str]]:
    """Return a line per device by device_heads(), of those that fared worst."""
    return [device(name, each) for name in worst(each.findings, WORST)]


def device(name: str, each: Judged) -> list[str]:
    """Return the numbers of a device."""
    found, p99 = each.findings.devices[name], each.findings.device_p99_ms[name]
    missing = [len(found.groups[group].missing) for group in each.stage.groups]
    acked = f"{found.acked:,}" if each.stage.qos else NONE
    counts = [len(found.lost), *missing, found.duplicated, found.disordered, found.disconnects]
    late = [ms(p99[way]) if way in p99 else NONE for way in ways(each.stage) if way != APPEND]
    return [name, f"{found.sent:,}", acked, f"{found.stored:,}", *(f"{count:,}" for count in counts), *late]


REAL = ("Real device", "Stored", "Without number", "Missing", "Duplicated", "Out of order")
REAL_FROM = (
    "Real devices sent meanwhile. What is missing is between the first and the last number of this stage; a device "
    "that numbers its messages anew shows it as duplicated or out of order. They decide about no claim, since nobody "
    "knows what they sent."
)


def real(each: Judged) -> list[list[str]]:
    """Return a line per real device by the heads of REAL."""
    return [[name, *(f"{count:,}" for count in found)] for name, found in sorted(each.findings.real.items())]


def ms(value: float) -> str:
    """Return milliseconds."""
    return f"{value:,.0f} ms" if abs(value) >= 100 else f"{value:.1f} ms"


def written(count: int | None) -> str:
    """Return bytes in words."""
    return "not known" if count is None else size(count)


def size(count: int) -> str:
    """Return bytes."""
    return f"{count / MIB:,.1f} MiB" if count >= MIB else f"{count / KIB:,.1f} KiB"
