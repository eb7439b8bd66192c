"""Whether a stage held what is claimed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..load_test.options import FAULT, GROUPS, PAUSE, STORM
from .latency import consumer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .findings import Findings
    from .ledger import Stage

PASSED, FAILED, INVALID = "passed", "failed", "invalid: generator"
# A generator that is later than this measures itself.
GENERATOR_P99_MS = 100
CONSUMER_P99_MS = 1000
# A connection that ends by one of these is no failure of the product.
OUTAGES = (FAULT, STORM)
# The group that reads late because it was told to pause.
PAUSED = GROUPS[-1]
EXAMPLES = 3


class Row(NamedTuple):
    """A claim, whether it held, and the numbers that prove it.

    :ivar there: what the claim is about; where it is not, the claim harms nothing.
    """

    claim: str
    held: bool
    evidence: str
    there: bool = True


class Verdict(NamedTuple):
    """Of one stage."""

    state: str
    generator: Row
    rows: list[Row]

    @property
    def failed(self) -> list[Row]:
        """The claims that did not hold."""
        return [row for row in (self.generator, *self.rows) if not row.held]


def judge(stage: Stage, findings: Findings) -> Verdict:
    """Return the verdict on a stage."""
    rows = [
        producers(stage, findings),
        accepted(stage, findings),
        stored(stage, findings),
        ordered(findings),
        kept_up(findings),
        independent(findings),
        in_time(stage, findings),
        told(stage, findings),
    ]
    on_time = generator(stage)
    state = PASSED if all(row.held for row in rows) else FAILED
    return Verdict(state if on_time.held else INVALID, on_time, rows)


def exit_code(verdicts: Iterable[Verdict]) -> int:
    """Return 0 if every stage passed, 1 if one failed, 3 if none did and one is invalid."""
    states = {verdict.state for verdict in verdicts}
    return 1 if FAILED in states else 3 if INVALID in states else 0


def generator(stage: Stage) -> Row:
    """The devices sent when they were to, all of them."""
    p99, most = stage.lag_ms["p99"], stage.lag_ms["max"]
    evidence = f"late by p99 {p99:,.1f} ms, at most {most:,.1f} ms (limit: p99 {GENERATOR_P99_MS} ms)"
    missing = stage.devices_wanted - len(stage.devices)
    if missing > 0:
        evidence += f"; it lost a worker: nobody tells of {missing:,} of {stage.devices_wanted:,} devices"
    return Row("the generator kept its schedule", p99 <= GENERATOR_P99_MS and missing <= 0, evidence)


def producers(stage: Stage, findings: Findings) -> Row:
    """All was sent and acknowledged, and no connection was lost or refused but by an outage that was planted."""
    total = findings.total
    cut = total.disconnects + total.refused
    excuse = excused(stage, OUTAGES) if cut else ""
    said = [f"{total.disconnects:,} disconnects, {total.refused:,} refused{excuse}"]
    devices = stage.devices.items()
    unsent = examples((name, number) for name, each in devices for number in range(len(each.sent), each.made))
    said.append(f"{total.made - total.sent:,} of {total.made:,} messages never sent{unsent}")
    if stage.qos:
        without = examples(
            (name, number) for name, each in devices for number, ms in enumerate(each.acked) if ms is None
        )
        said.append(f"{total.unacked:,} of {total.sent:,} messages without acknowledgement{without}")
        said.append(f"{total.resent:,} resent")
    held = total.made == total.sent and not total.unacked and (not cut or bool(excuse))
    return Row("no producer failed or lost its connection", held, "; ".join(said))


def accepted(stage: Stage, findings: Findings) -> Row:
    """Every device that the generator tells of came to send; to lose some is the generator's fault."""
    connected, there = findings.total.connected, len(stage.devices)
    planned = round(there * stage.rate * (stage.seconds + stage.ramp / 2))
    evidence = (
        f"{connected:,} of {there:,} devices connected and sent {findings.total.sent:,} of about {planned:,} messages"
    )
    return Row("the MQTT broker kept accepting connections", connected >= there, evidence)


def stored(stage: Stage, findings: Findings) -> Row:
    """Nothing was lost."""
    total = findings.total
    owed, what = (total.acked, "acknowledged") if stage.qos else (total.sent, "sent")
    lost = examples((name, number) for name, each in findings.devices.items() for number in each.lost)
    said = [f"{total.lost:,} of {owed:,} {what}, not stored{lost}", f"{total.duplicated:,} duplicated"]
    if total.unknown:
        strange = examples((name, number) for name, each in findings.devices.items() for number in each.unknown)
        said.append(f"{total.unknown:,} stored that this stage never sent{strange}")
    return Row(f"every {what} message is in Kafka", not total.lost and not total.unknown, "; ".join(said))


def ordered(findings: Findings) -> Row:
    """Each device's messages are where they belong."""
    places = {"in Kafka": findings.total.disordered}
    places |= {f"consumed by {name}": group.disordered for name, group in findings.total.groups.items()}
    evidence = "out of order: " + ", ".join(f"{count:,} {place}" for place, count in places.items())
    where = examples_of_names(
        name
        for name, each in findings.devices.items()
        if each.disordered or any(group.disordered for group in each.groups.values())
    )
    return Row("each device's messages are in order", not any(places.values()), evidence + where)


def kept_up(findings: Findings) -> Row:
    """No consumer group was behind at the end."""
    said = [
        f"{name} at most {lag.max:,}, at the end {lag.end:,}" if lag else f"{name} was never looked at"
        for name, lag in findings.lag.items()
    ]
    held = all(lag and lag.end == 0 for lag in findings.lag.values())
    return Row("consumers kept up", held, "records behind: " + "; ".join(said))


def independent(findings: Findings) -> Row:
    """Each consumer group has all that is stored and nothing else, counted for itself."""
    said = []
    for name, group in findings.total.groups.items():
        own = {device: each.groups[name] for device, each in findings.devices.items()}
        missing = examples((device, number) for device, each in own.items() for number in each.missing)
        stray = examples((device, number) for device, each in own.items() for number in each.stray)
        said.append(f"{name} {group.consumed:,} of {findings.total.stored:,}")
        said += [f"not consumed by {name}: {group.missing:,}{missing}"] if group.missing else []
        said += [f"consumed by {name} and not stored: {group.stray:,}{stray}"] if group.stray else []
    held = not any(group.missing or group.stray for group in findings.total.groups.values())
    return Row("each consumer group got every stored message", held, "; ".join(said))


def in_time(stage: Stage, findings: Findings) -> Row:
    """Messages came to each group soon; what an outage or its own pause held up is told only."""
    said, held = [], True
    for name in findings.total.groups:
        found = findings.latencies[consumer(name)]
        late = found is not None and found.p99 >= CONSUMER_P99_MS
        excuse = excused(stage, (*OUTAGES, PAUSE) if name == PAUSED else OUTAGES) if late else ""
        said.append(f"{name} {found.p99:,.1f} ms{excuse}" if found else f"{name} got nothing")
        held = held and found is not None and (not late or bool(excuse))
    evidence = f"p99 {'; '.join(said)} (limit: {CONSUMER_P99_MS:,} ms)"
    return Row("messages come to consumers within a second", held, evidence)


def told(stage: Stage, findings: Findings) -> Row:
    """Each spike and each silence that was planted has its alert, once, and nothing else has one."""
    claim = "alerting kept working"
    found = findings.alerting
    if found is None:
        return Row(claim, held=True, evidence=absent(stage), there=False)
    said = [
        f"{found.planted:,} planted, {found.raised:,} raised",
        f"{len(found.missed):,} missed{few(found.missed)}",
        f"{len(found.false):,} false{few(found.false)}",
        f"{len(found.doubled):,} doubled{few(found.doubled)}",
        f"{len(found.unresolved):,} not resolved{few(found.unresolved)}",
    ]
    took = [f"{kind} {each.p99:,.1f} ms" for kind, each in found.latencies.items() if each]
    late = [f"p99 {'; '.join(took)}"] if took else []
    return Row(claim, found.held, "; ".join([", ".join(said), *late]))


def absent(stage: Stage) -> str:
    """Say why alerting could not be judged."""
    if stage.alerts is None:
        return "Kafka has no topic of alerts: alerting is not deployed"
    return "nothing was planted that an alert would tell of"


def excused(stage: Stage, kinds: Sequence[str]) -> str:
    """Say that something is told only, because of an event of one of these kinds; nothing if there was none."""
    there = {kind for _ms, _text, kind in stage.events}
    return next((f", told only: a {kind} was planted" for kind in kinds if kind in there), "")


def examples(messages: Iterable[tuple[str, int]]) -> str:
    """Name a few messages, by device and sequence number."""
    return few([f"{device} seq {number}" for device, number in messages])


def examples_of_names(names: Iterable[str]) -> str:
    """Name a few devices."""
    return few(list(names))


def few(names: Sequence[str]) -> str:
    """Return the first of some names in parentheses; nothing if there are none."""
    more = f" and {len(names) - EXAMPLES:,} more" if len(names) > EXAMPLES else ""
    return f" ({', '.join(names[:EXAMPLES])}{more})" if names else ""
