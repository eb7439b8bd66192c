"""What ledger.json of a load test says."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import fastjsonschema

from ..load_test.judged import LOOK_S, SILENT_AFTER_S
from ..load_test.options import EVENT_KINDS
from ..simulate.options import KINDS, SPIKE

if TYPE_CHECKING:
    from pathlib import Path


VERSION = 4
STATES = (FIRING, RESOLVED) = ("FIRING", "RESOLVED")


class LedgerError(Exception):
    """Which file of a report is wrong, where, why, and what to do."""


class Clock(NamedTuple):
    """How Kafka's clock differs from the generator's.

    :ivar offset_ms: Kafka's less that of the generator, of several the first.
    :ivar error_ms: the offset is known but for so much: half of the way there and back, and Kafka's millisecond.
    """

    offset_ms: float
    error_ms: float


class Generator(NamedTuple):
    """What simulated devices ran on.

    :ivar on_test_host: it has the address that devices connect to.
    """

    host: str
    on_test_host: bool
    cpus: int
    machine: str


class Sample(NamedTuple):
    """A process at one moment; CPU time and written bytes are sums since it started.

    :ivar ms: after the stage began.
    :ivar written_bytes: None if the sampler may not know it.
    """

    ms: float
    cpu_s: float
    rss_bytes: int
    written_bytes: int | None


class Planted(NamedTuple):
    """What a device has done that an alert has to tell.

    :ivar kind: of simulate.options.KINDS.
    :ivar began: ms after the stage began at which it sent the first message of a spike, the last one before a silence.
    :ivar ended: likewise of the first message after it; None if it never sent one.
    """

    device: str
    kind: str
    began: float
    ended: float | None

    @property
    def due(self) -> bool:
        """Whether its alert has to come: a silence that was cut short by the end of the run may have one."""
        lasted = 0 if self.ended is None else self.ended - self.began
        return self.kind == SPIKE or lasted >= 1000 * (SILENT_AFTER_S + LOOK_S)


class Alert(NamedTuple):
    """What a rule of the load test said of a device of the stage.

    :ivar id: of its episode, the same when it begins and when it ends.
    :ivar state: of STATES.
    :ivar decided: append time of the record that decided, ms after the stage began by Kafka's clock.
    :ivar append: likewise of the alert itself.
    """

    id: str
    rule: str
    device: str
    state: str
    decided: float
    append: float


@dataclass(frozen=True)
class Device:
    """The messages of one device in one stage; all times are ms after the stage began.

    :ivar made: how many messages there were to send; those that never were sent are the last.
    :ivar sent: by sequence number, when it was handed to the socket first.
    :ivar acked: by sequence number, None for a message without acknowledgement; empty with QoS 0.
    :ivar stored: sequence number and append time by Kafka's clock, in the order of the log.
    :ivar groups: per consumer group sequence number and time, in the order of consumption.
    :ivar refused: connections and messages that the MQTT broker refused.
    """

    made: int
    sent: list[float]
    acked: list[float | None]
    stored: list[list[float]]
    groups: dict[str, list[list[float]]]
    disconnects: int
    refused: int
    resent: int


@dataclass(frozen=True)
class Stage:
    """One number of devices, for so long.

    :ivar rate: messages per second and device.
    :ivar ramp: seconds over which the devices connect, each sending from then on; `seconds` with all of them follow.
    :ivar began: seconds since the epoch.
    :ivar lag_ms: how late the generator sent, of several the latest: p50, p99, max.
    :ivar real: of each real device that sent beside, the numbers that it gave its messages, in the log's order; null
        for one without.
    :ivar planted: what devices did that alerting has to find, each of them one thing at most.
    :ivar alerts: in the order of a partition of the log; None if Kafka has no topic of alerts.
    :ivar events: what was done on purpose: ms after the stage began, what, and its kind (EVENT_KINDS).
    :ivar group_lag: per consumer group ms after the stage began, and records not yet consumed. Of several
        generators each has groups of its own, of which the one that is furthest behind counts.
    :ivar clock: None if times of Kafka's clock can't be compared with those of the generator.
    """

    devices_wanted: int
    rate: float
    qos: int
    ramp: float
    seconds: float
    began: float
    ended: float
    lag_ms: dict[str, float]
    devices: dict[str, Device]
    real: dict[str, list[int | None]]
    planted: list[Planted]
    alerts: list[Alert] | None
    events: list[list[Any]]
    group_lag: dict[str, list[list[float]]]
    processes: dict[str, list[Sample]]
    clock: Clock | None

    @property
    def groups(self) -> list[str]:
        """The names of the consumer groups."""
        return sorted(self.group_lag)


@dataclass(frozen=True)
class Ledger:
    """A run of the load test."""

    run: str
    began: float
    product: str
    mqtt: str
    kafka: str
    topic: str
    generators: list[Generator]
    clock: Clock | None
    stages: list[Stage]


NUMBER = {"type": "number"}
COUNT = {"type": "integer", "minimum": 0}
TEXT = {"type": "string"}
POSITIVE = {"type": "number", "exclusiveMinimum": 0}


def of(**properties: Any) -> dict[str, Any]:
    """Return the JSON schema of an object that needs all of these; more keys may come with later versions."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def row(*items: Any) -> dict[str, Any]:
    """Return the JSON schema of a list of lists, each of exactly these."""
    return {
        "type": "array",
        "items": {"type": "array", "items": list(items), "minItems": len(items), "maxItems": len(items)},
    }


def named(each: Any, least: int = 0) -> dict[str, Any]:
    """Return the JSON schema of an object with any keys."""
    return {"type": "object", "additionalProperties": each, "minProperties": least}


SAMPLES = row(NUMBER, NUMBER, COUNT, {"type": ["integer", "null"], "minimum": 0})
DEVICE = of(
    made=COUNT,
    sent={"type": "array", "items": NUMBER},
    acked={"type": "array", "items": {"type": ["number", "null"]}},
    stored=row(COUNT, NUMBER),
    groups=named(row(COUNT, NUMBER)),
    disconnects=COUNT,
    refused=COUNT,
    resent=COUNT,
)
STAGE = of(
    devices_wanted={"type": "integer", "minimum": 1},
    rate=POSITIVE,
    qos={"enum": [0, 1, 2]},
    ramp={"type": "number", "minimum": 0},
    seconds=POSITIVE,
    began=NUMBER,
    ended=NUMBER,
    lag_ms=of(p50=NUMBER, p99=NUMBER, max=NUMBER),
    devices=named(DEVICE),
    real=named({"type": "array", "items": {"type": ["integer", "null"], "minimum": 0}}),
    planted=row(TEXT, {"enum": list(KINDS)}, NUMBER, {"type": ["number", "null"]}),
    alerts={**row(TEXT, TEXT, TEXT, {"enum": list(STATES)}, NUMBER, NUMBER), "type": ["array", "null"]},
    events=row(NUMBER, TEXT, {"enum": list(EVENT_KINDS)}),
    group_lag=named(row(NUMBER, COUNT), least=1),
    processes=named(SAMPLES),
)
GENERATOR = of(host=TEXT, on_test_host={"type": "boolean"}, cpus=COUNT, machine=TEXT)
SCHEMA = of(
    version={"enum": [VERSION]},
    run=TEXT,
    began=NUMBER,
    product=TEXT,
    mqtt=TEXT,
    kafka=TEXT,
    topic=TEXT,
    generators={"type": "array", "minItems": 1, "items": GENERATOR},
    clock={**of(offset_ms=NUMBER, error_ms=NUMBER), "type": ["object", "null"]},
    stages={"type": "array", "minItems": 1, "items": STAGE},
)
DRAFT = {"$schema": "http://json-schema.org/draft-07/schema#"}
SAMPLED = of(processes=named(SAMPLES))


def load(path: Path) -> Ledger:
    """Return what a file says.

    :raises LedgerError: it can't be read, or is no ledger.
    """
    return ledger(said_by(path), str(path))


def said_by(path: Path) -> dict[str, Any]:
    """Return the JSON of a file that has the form of a ledger.

    :raises LedgerError: it can't be read, or has not.
    """
    return read(path, SCHEMA, "give the report the ledger.json of a load test")


def ledger(said: dict[str, Any], place: str) -> Ledger:
    """Return a ledger of what the schema let pass.

    :param place: what errors call it.
    :raises LedgerError: it contradicts itself.
    """
    clock = Clock(said["clock"]["offset_ms"], said["clock"]["error_ms"]) if said["clock"] else None
    generators = [Generator(*(each[name] for name in Generator._fields)) for each in said["generators"]]
    stages = [stage(each, clock, f"{place}: stages[{number}]") for number, each in enumerate(said["stages"])]
    texts = {name: said[name] for name in ("run", "began", "product", "mqtt", "kafka", "topic")}
    return Ledger(**texts, generators=generators, clock=clock, stages=stages)


def load_samples(path: Path) -> dict[str, list[Sample]]:
    """Return processes that were sampled on their hosts; here the time is in ms since the epoch.

    :raises LedgerError: the file can't be read, or is none of these.
    """
    said = read(path, SAMPLED, 'give --processes one as {"processes": {NAME: [[unix_ms, cpu_s, rss, written], ...]}}')
    return {name: [Sample(*each) for each in samples] for name, samples in said["processes"].items()}


def read(path: Path, schema: dict[str, Any], advice: str) -> Any:
    """Return the JSON of a file that keeps to a schema.

    :raises LedgerError: it does not.
    """
    try:
        said = json.loads(path.read_text(encoding="utf-8"), parse_constant=no_constant)
    except OSError as wrong:
        raise LedgerError(f"{path}: it can't be read: {wrong.strerror}; {advice}") from wrong
    except ValueError as wrong:
        raise LedgerError(f"{path}: it is no JSON: {wrong}; {advice}") from wrong
    try:
        fastjsonschema.compile({**DRAFT, **schema}, use_default=False)(said)
    except fastjsonschema.JsonSchemaValueException as wrong:
        why = wrong.message.removeprefix("data.").replace("data must", "the file must")
        raise LedgerError(f"{path}: {why}; {advice}") from wrong
    return said


def no_constant(name: str) -> NoReturn:
    """Refuse what Python would read and JSON does not have (RFC 8259, 6).

    :raises ValueError: always.
    """
    raise ValueError(f"{name} is no number of JSON")


def stage(said: dict[str, Any], clock: Clock | None, place: str) -> Stage:
    """Return a stage of what the schema let pass.

    :raises LedgerError: it contradicts itself.
    """
    if said["ended"] <= said["began"]:
        raise LedgerError(f"{place}: it ended at {said['ended']}, not after it began at {said['began']}")
    devices = {name: device(each, said, f"{place}.devices.{name}") for name, each in said["devices"].items()}
    processes = {name: [Sample(*each) for each in samples] for name, samples in said["processes"].items()}
    planted = [plant(each, devices, place) for each in said["planted"]]
    alerts = None if said["alerts"] is None else [Alert(*each) for each in said["alerts"]]
    more = {"devices": devices, "processes": processes, "planted": planted, "alerts": alerts}
    kept = {name: said[name] for name in Stage.__dataclass_fields__ if name in said}
    return Stage(**{**kept, **more, "clock": clock})


def plant(said: list[Any], devices: dict[str, Device], place: str) -> Planted:
    """Return what was planted, of what the schema let pass.

    :raises LedgerError: its device does not know of it.
    """
    found = Planted(*said)
    if found.device not in devices or found.began not in devices[found.device].sent:
        raise LedgerError(f"{place}.planted: {found.device} sent no message at {found.began:g} ms, where it began")
    return found


def device(said: dict[str, Any], of_stage: dict[str, Any], place: str) -> Device:
    """Return a device of what the schema let pass.

    :raises LedgerError: it contradicts itself.
    """
    wanted = len(said["sent"]) if of_stage["qos"] else 0
    if len(said["acked"]) != wanted:
        raise LedgerError(
            f"{place}: acked has {len(said['acked'])} entries for {len(said['sent'])} messages of QoS "
            f"{of_stage['qos']}; it must have {wanted}"
        )
    if said["made"] < len(said["sent"]):
        raise LedgerError(f"{place}: made is {said['made']}, less than the {len(said['sent'])} messages of sent")
    strange = sorted(set(said["groups"]) - set(of_stage["group_lag"]))
    if strange:
        raise LedgerError(f"{place}: it has the group {strange[0]}, which group_lag of the stage does not name")
    return Device(**{name: said[name] for name in Device.__dataclass_fields__})
