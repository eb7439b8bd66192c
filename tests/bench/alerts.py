"""What alerting's engine costs a core: a record with its payload, the state of a device, and a look at all of them."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator

from raspi_kafka.alert import rules
from raspi_kafka.alert.engine import Engine
from raspi_kafka.alert.record import Record
from raspi_kafka.alert.sight import Seen, Sight
from raspi_kafka.simulate.telemetry import Telemetry
from raspi_kafka.simulate.values import Values, traits

from .table import Row, computer, load, table

ROUNDS = 3
RECORDS = 100_000
PARTITIONS = 12
START_MS = 1_790_000_000_000
FLEETS = (350, 20_000)
TAKE, STATE, LOOK = "take(), µs per record", "take_changed(), µs per device", "known() of all devices, ms"
SAID = [
    {"name": "hot", "threshold": {"field": "temperature", "above": 80, "clear": 75, "for": "30s"}},
    {"name": "busy", "threshold": {"field": "cpu", "above": 95, "for": "1m"}},
    {"name": "jump", "rate": {"field": "temperature", "rises": 20, "within": "1m"}},
    {"name": "quiet", "silence": {"after": "1m"}},
    {"name": "clock", "clock": {"off_by": "30s"}},
]
RULES = rules.parse({"rules": SAID})


def sent(count: int, seconds: range) -> Iterator[Record]:
    """A record a second of each device."""
    values = Values(0)
    names = [f"sim-{number:05}" for number in range(count)]
    devices = [Telemetry(name, traits(0, name, 0.5), values, 0, "20261118T110640Z-1") for name in names]
    for second in seconds:
        for number, device in enumerate(devices):
            at_ms = START_MS + second * 1000 + number * 1000 // count
            value = device.payload(second, at_ms * 1_000_000, 0.0)
            place = "telemetry", number % PARTITIONS, second * count + number
            yield Record(*place, at_ms + 20, names[number], value, [("mqtt.qos", b"1")])


def measure(count: int) -> dict[str, float]:
    """Measure once; each device is known before."""
    engine = Engine(RULES)
    for record in sent(count, range(2)):
        engine.take(record)
    engine.take_changed()
    records = list(sent(count, range(2, 2 + -(-RECORDS // count))))
    gc.freeze()
    began = time.process_time()
    for record in records:
        engine.take(record)
    taken = time.process_time()
    state = engine.take_changed()
    stored = time.process_time()
    for partition in range(PARTITIONS):
        engine.known("telemetry", partition, Sight(Seen(START_MS, records[-1].append_ms, int), {}))
    looked = time.process_time()
    gc.unfreeze()
    return {
        TAKE: 1e6 * (taken - began) / len(records),
        STATE: 1e6 * (stored - taken) / len(state),
        LOOK: 1e3 * (looked - stored),
    }


def main() -> str:
    """Measure in turns, so that a busy machine hits all."""
    began = load()
    found = [{count: measure(count) for count in FLEETS} for _round in range(ROUNDS)]
    rows = [
        Row(f"{count:,} devices: {what}", [each[count][what] for each in found], [], limit=12 if what == TAKE else None)
        for count in FLEETS
        for what in (TAKE, STATE, LOOK)
    ]
    notes = f"Medians of {ROUNDS} rounds of {RECORDS:,} records with 5 rules, CPU time of one core."
    return f"{computer()}; load {began} to {load()}\n\n{table('Alerting', rows, notes)}"
