"""What a stage writes down: every message of every device, and what became of it.

`raspi-kafka report` reads it, and says what each key means.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from raspi_kafka.alert.alert import State
from raspi_kafka.report.ledger import Planted

from .judged import RULES
from .message import real, sent_by
from .options import FAULT

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from confluent_kafka import Message

    from .alerts import Told

TOLD = ("made", "disconnects", "refused", "resent")


@dataclass
class Stored:
    """What Kafka has of a stage, of each device in the log's order.

    :ivar simulated: device -> pairs of a number and when Kafka appended it, milliseconds since 1970 by its own clock.
    :ivar real: device -> the numbers that it gave its messages, null for one without.
    """

    simulated: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    real: dict[str, list[int | None]] = field(default_factory=dict)


def stored(records: Iterable[Message], run: str) -> Stored:
    """Sort records by who sent them.

    :param run: what messages of this stage say that they are of.
    """
    found = Stored()
    for record in records:
        if sent := sent_by(record, run):
            device, number = sent
            found.simulated.setdefault(device, []).append((number, record.timestamp()[1]))
        elif known := real(record):
            found.real.setdefault(known[0], []).append(known[1])
    return found


def journals(directory: Path) -> list[list[dict[str, Any]]]:
    """Return what the workers of the simulator wrote: of each the line of its own, and one of each device."""
    paths = sorted(directory.glob("journal-*.jsonl"))
    return [[json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] for path in paths]


def devices(
    told: list[list[dict[str, Any]]],
    stored: Stored,
    came: dict[str, dict[str, list[list[float]]]],
    began_ns: int,
) -> dict[str, dict[str, Any]]:
    """Bring together what simulator, Kafka and consumer groups say of each device, in milliseconds after `began_ns`.

    :param came: group -> device -> pairs of number and milliseconds.
    """
    found: dict[str, dict[str, Any]] = {}
    for head, *lines in told:
        later = later_ms(head, began_ns)
        for line in lines:
            found[line["device"]] = {
                "sent": [round(ms + later, 3) for ms in line["sent"]],
                "acked": [None if ms is None else round(ms + later, 3) for ms in line["acked"]],
                "stored": [
                    [number, round(append_ms - began_ns / 1e6, 3)]
                    for number, append_ms in stored.simulated.get(line["device"], [])
                ],
                "groups": {
                    group: [[number, round(ms - began_ns / 1e6, 3)] for number, ms in of.get(line["device"], [])]
                    for group, of in came.items()
                },
                **{name: line[name] for name in TOLD},
            }
    return found


def later_ms(head: dict[str, Any], began_ns: int) -> float:
    """Return by how much a worker began later."""
    return (head["began_ns"] - began_ns) / 1e6


def planted(told: list[list[dict[str, Any]]], began_ns: int) -> list[list[Any]]:
    """Return what devices have shown of what was planted: device, kind, when it began and when it ended.

    Times are milliseconds after `began_ns`, of messages that were sent; None if the first one after it never was.
    """
    found = []
    for head, *lines in told:
        later = later_ms(head, began_ns)
        for line in lines:
            sent = [round(ms + later, 3) for ms in line["sent"]]
            for kind, began, ended in line["planted"]:
                if began < len(sent):
                    found.append([line["device"], kind, sent[began], sent[ended] if ended < len(sent) else None])
    return sorted(found, key=lambda each: each[2])


def due(rows: list[list[Any]]) -> set[tuple[str, str, str]]:
    """Return rule, device and state of each alert that has to be told of what was planted."""
    every = [Planted(*row) for row in rows]
    return {(RULES[each.kind], each.device, state.value) for each in every if each.due for state in State}


def alerts(
    found: Iterable[Told],
    told: list[list[dict[str, Any]]],
    starts: list[tuple[str, int, int]],
    began_ns: int,
) -> list[list[Any]]:
    """Return what rules of the load test say of devices of this stage, of records that were stored in it.

    :param starts: topic, partition and offset of the first record of the stage.
    :returns: id, rule, device, state, and by Kafka's clock in milliseconds after `began_ns` when it was decided and
        when Kafka appended it.
    """
    own = {line["device"] for _head, *lines in told for line in lines}
    first = {(topic, partition): offset for topic, partition, offset in starts}
    rows = []
    for alert, append_ms in found:
        topic, partition, offset = alert.place
        here = offset >= first.get((topic, partition), offset)
        if here and alert.device in own and alert.rule in RULES.values():
            times = [round(ms - began_ns / 1e6, 3) for ms in (alert.decided_ms, append_ms)]
            rows.append([alert.id, alert.rule, alert.device, alert.state.value, *times])
    return rows


def acknowledged(told: list[list[dict[str, Any]]]) -> int:
    """Return how many messages were acknowledged."""
    return sum(ms is not None for _head, *lines in told for line in lines for ms in line["acked"])


def lag(told: list[list[dict[str, Any]]]) -> dict[str, float]:
    """Return how late the generator was: the largest of its workers."""
    return {name: max(head["lag_ms"][name] for head, *_lines in told) for name in ("p50", "p99", "max")}


def events(file: Path | None, began_ns: int) -> list[list[Any]]:
    """Return what somebody did to the stack meanwhile, from lines of {"at": SECONDS SINCE 1970, "what": TEXT}.

    Each is a fault: milliseconds after `began_ns`, what, and its kind.
    """
    if file is None or not file.exists():
        return []
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    after = [[round(1000 * each["at"] - began_ns / 1e6, 3), each["what"], FAULT] for each in lines]
    return [each for each in after if each[0] >= 0]


def since(samples: list[list[Any]], began_ns: int) -> list[list[Any]]:
    """Return samples, whose first item is milliseconds since 1970, in milliseconds after `began_ns`."""
    later = [[round(ms - began_ns / 1e6, 3), *rest] for ms, *rest in samples]
    return [each for each in later if each[0] >= 0]


def write(path: Path, ledger: dict[str, Any]) -> None:
    """Write a ledger; it is there whole, or as it was."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(ledger, separators=(",", ":")), encoding="utf-8")
    part.replace(path)
