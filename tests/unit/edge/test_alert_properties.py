"""What holds of alerts whatever devices send: random histories, each of a seed."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import pytest
from raspi_kafka.alert.alert import FLEET, State
from raspi_kafka.alert.record import Record
from raspi_kafka.alert.sight import Seen, Sight

from tests.unit.edge.alerting import START_MS, engine_of, store

if TYPE_CHECKING:
    from raspi_kafka.alert.alert import Alert
    from raspi_kafka.alert.engine import Engine

RULES = """
late: 20s
forget: 3m
rules:
  - {name: hot, threshold: {field: t, above: 80, clear: 60, for: 5s}}
  - {name: cold, threshold: {field: t, below: 20}}
  - {name: jump, rate: {field: t, changes: 60, within: 20s, clear: 50}}
  - {name: quiet, silence: {after: 10s}}
  - {name: mute, silence: {after: 30s}}
  - {name: clock, clock: {off_by: 10s, for: 5s}}
  - {name: many, per: fleet, at_least: 2, threshold: {field: t, above: 70}}
  - {name: away, per: fleet, at_least: 3, silence: {after: 10s}}
  - {name: dead, dead_letters: {more_than: 3, within: 30s}}
  - {name: bad, per: device, dead_letters: {more_than: 1, within: 30s}}
"""
RECORDS = 400
PARTITIONS = 3
SEEDS = range(25)


class Look(NamedTuple):
    """All of a partition is known from one time to another."""

    topic: str
    partition: int
    sight: Sight


def device(chance: random.Random, at_ms: int) -> bytes:
    """What a device says: now and then no JSON, no time, an old time or a wrong one."""
    if chance.random() < 0.03:
        return b"no JSON"
    said = {"t": chance.choice((10, 40, 65, 72, 75, 85, 90, None, "?"))}
    lag = chance.choice((0, 0, 0, 0, 1, 3, 15, 25, -30, -100, None))
    if lag is not None:
        said["timestamp"] = (at_ms - lag * 1000) / 1000
    if chance.random() < 0.05:
        said["bye"] = True
    return json.dumps(said).encode()


def history(seed: int) -> list[Record]:
    """Records in the order of their append time; device 3 has a wrong clock, and each is away now and then."""
    chance = random.Random(seed)
    at_ms, offsets, found = START_MS, Counter[tuple[str, int]](), []
    away = Counter[str]()
    while len(found) < RECORDS:
        at_ms += chance.choice((0, 50, 200, 500, 900, 4000 if chance.random() < 0.1 else 100))
        name = f"d{chance.randrange(5)}"
        if at_ms < away[name]:
            continue
        if chance.random() < 0.08:
            away[name] = at_ms + chance.choice((9_000, 12_000, 35_000, 200_000))
        topic = "dead-letters" if chance.random() < 0.1 else "telemetry"
        place = topic, int(name[1:]) % PARTITIONS
        value = device(chance, at_ms - (3_600_000 if name == "d3" else 0))
        found.append(Record(*place, offsets[place], at_ms, name, value))
        offsets[place] += 1
    return found


def looks(at_ms: int, stalls: bool = True) -> list[Look]:
    """All that is known at a time; the pipeline may stall from second 50 to 60."""
    stall = (START_MS + 50_000, START_MS + 60_000) if stalls else (START_MS, START_MS)
    if stall[0] <= at_ms < stall[1]:
        return []
    since_ms = START_MS if at_ms < stall[0] else stall[1]
    sight = Sight(Seen(since_ms, at_ms, int), {})
    return [Look(topic, each, sight) for topic in ("telemetry", "dead-letters") for each in range(PARTITIONS)]


def steps(records: list[Record], every_ms: int, stalls: bool = True) -> list[Record | Look]:
    """Records, and looks in between; the last one is after all silences."""
    found: list[Record | Look] = []
    looked = START_MS
    for record in records:
        if record.append_ms - looked >= every_ms:
            looked = record.append_ms
            found += looks(looked, stalls)
        found.append(record)
    return found + looks(records[-1].append_ms + 60_000, stalls)


def go(engine: Engine, done: list[Record | Look]) -> list[Alert]:
    """Take them, and return the alerts."""
    alerts = []
    for each in done:
        alerts += engine.known(*each) if isinstance(each, Look) else engine.take(each)
    return alerts


def names(alerts: list[Alert]) -> Counter[tuple[str, State]]:
    """Which alerts of single devices there are, without when they were found."""
    return Counter((each.id, each.state) for each in alerts if each.device != FLEET)


def test_random_histories_have_alerts_of_every_rule() -> None:
    found = Counter(each.rule for seed in SEEDS for each in go(engine_of(RULES), steps(history(seed), 1000)))
    assert len(found) == 10
    assert min(found.values()) >= 20, found


@pytest.mark.parametrize("seed", SEEDS)
def test_a_cut_anywhere_changes_nothing(seed: int) -> None:
    done = steps(history(seed), 1000)
    whole = go(engine_of(RULES), done)
    chance = random.Random(seed)
    alerts, state, rest, engine = [], {}, done, engine_of(RULES)
    while rest:
        size = chance.choice((1, 7, 40, 150))
        alerts += go(engine, rest[:size])
        rest = rest[size:]
        store(state, engine.take_changed())
        firing = engine.firing
        engine = engine_of(RULES)
        for key, value in sorted(state.items(), key=lambda _each: chance.random()):
            engine.load(key, value)
        assert engine.loaded() == []
        assert engine.firing == firing
        assert engine.take_changed() == {}
    assert alerts == whole


@pytest.mark.parametrize("seed", SEEDS)
def test_an_episode_begins_once_and_ends_once_at_most(seed: int) -> None:
    seen: dict[str, list[Alert]] = {}
    engine = engine_of(RULES)
    for alert in go(engine, steps(history(seed), 1000)):
        seen.setdefault(alert.id, []).append(alert)
    for begin, *end in seen.values():
        assert begin.state is State.FIRING
        assert [each.state for each in end] in ([], [State.RESOLVED])
        assert [begin._replace(state=e.state, decided_ms=e.decided_ms, summary=e.summary) for e in end] == end
    assert sum(engine.firing.values()) == sum(len(each) == 1 for each in seen.values())


@pytest.mark.parametrize("seed", SEEDS)
def test_neither_how_partitions_interleave_nor_when_somebody_looks_changes_what_a_device_has(seed: int) -> None:
    rules = RULES.replace("forget: 3m", "forget: 7d")  # who is forgotten while nobody looks is not
    records = history(seed)
    one = go(engine_of(rules), steps(records, 1000, stalls=False))
    chance = random.Random(seed)
    queues = []
    for place in sorted({each[:2] for each in records}):
        own = steps([each for each in records if each[:2] == place], chance.choice((0, 300, 3000, 9000)), stalls=False)
        queues.append([each for each in own if each[:2] == place])
    mixed = []
    while queues := [each for each in queues if each]:
        mixed.append(chance.choice(queues).pop(0))
    end = looks(records[-1].append_ms + 60_000, stalls=False)
    assert names(go(engine_of(rules), mixed + end)) == names(one)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_records_end_the_same(seed: int) -> None:
    done = steps(history(seed), 1000)
    assert go(engine_of(RULES), done) == go(engine_of(RULES), done)
