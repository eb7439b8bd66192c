"""What devices do that alerting has to find, and how they say goodbye."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from raspi_kafka.load_test.judged import RULES, SILENT_AFTER_S
from raspi_kafka.simulate import telemetry as module
from raspi_kafka.simulate.device import Device
from raspi_kafka.simulate.options import KINDS, SILENCE, SPIKE, Credential, Options, Plant
from raspi_kafka.simulate.planted import Planted, chosen
from raspi_kafka.simulate.telemetry import Telemetry
from raspi_kafka.simulate.values import DAY_AMPLITUDE, Values, traits

from tests.hosts.cache import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = [f"sim-{number:05}" for number in range(1, 101)]
RAMP_S = 10.0
SAID = b'{"device"'


class Site:
    """Nobody connects here."""

    address = ("127.0.0.1", 1)
    ending = False

    def __init__(self) -> None:
        self.gate = asyncio.Semaphore(1)
        self.faults: Counter[str] = Counter()

    def now_s(self) -> float:
        return 0.0


def options(*plants: Plant, **more: Any) -> Options:
    return Options(("127.0.0.1", 1883), tuple(Credential(name, "x") for name in NAMES), plants=plants, **more)


def payloads(device: Device) -> Iterator[dict[str, Any]]:
    for _number, frame in device.outbox.waiting:
        yield json.loads(SAID + frame.partition(SAID)[2])


def planted(kind: str, bad: float = 0.0) -> Planted:
    """A device that does it from second 2 to 5 of the hold."""
    telemetry = Telemetry("sim-00001", traits(1, "sim-00001", 0.0), Values(1), bad, "r")
    device = Planted(Credential("sim-00001", "x"), 1, telemetry, Site())
    device.plant(Plant(kind, 2, 1, 3), RAMP_S)
    return device


def lives(device: Device, seconds: range) -> None:
    """Let it measure once a second of the hold, and leave with the last one."""
    for second in seconds:
        if second == seconds[-1]:
            device.leave()
        device.measure(RAMP_S + second, 0.0)


# --- who


def test_each_plant_has_devices_of_its_own_by_the_seed_whatever_the_workers() -> None:
    plants = (Plant(SPIKE, 1, 30, 2), Plant(SPIKE, 5, 10, 2), Plant(SILENCE, 1, 60, 20))
    found = chosen(options(*plants))
    assert Counter(found.values()) == {each: each.devices for each in plants}
    assert chosen(options(*plants, workers=4)) == found
    assert chosen(options(*plants, seed=2)) != found
    assert chosen(options()) == {}


# --- what


def test_a_spike_lasts_as_long_as_it_was_told_to() -> None:
    device = planted(SPIKE)
    lives(device, range(10))
    hot = [each["seq"] for each in payloads(device) if each["temperature"] > 90]
    assert hot == [2, 3, 4]
    assert device.planted == [(SPIKE, 2, 5)]
    assert device.outbox.made == 10


def test_no_message_of_a_spike_is_cut() -> None:
    device = planted(SPIKE, bad=1.0)
    for second in range(2, 5):
        device.measure(RAMP_S + second, 0.0)
    assert all(each["temperature"] > 90 for each in payloads(device))


def test_a_silent_device_makes_no_message_for_its_time() -> None:
    device = planted(SILENCE)
    lives(device, range(10))
    assert [each["seq"] for each in payloads(device)] == [0, 1, 2, 3, 4, 5, 6]
    assert device.planted == [(SILENCE, 1, 2)]


def test_who_was_never_heard_is_not_silent() -> None:
    device = planted(SILENCE)
    lives(device, range(3, 10))
    assert device.planted == []


@pytest.mark.parametrize(("kind", "first", "after"), [(SPIKE, 2, 4), (SILENCE, 1, 2)])
def test_the_last_message_is_an_ordinary_one_and_ends_what_was_planted(kind: str, first: int, after: int) -> None:
    device = planted(kind)
    lives(device, range(5))
    assert device.planted == [(kind, first, after)]
    last = list(payloads(device))[-1]
    assert (last["seq"], last["bye"], last["temperature"] < 80) == (after, True, True)


def test_a_spike_that_is_not_over_has_no_message_after_it() -> None:
    device = planted(SPIKE)
    for second in range(4):
        device.measure(RAMP_S + second, 0.0)
    assert device.planted == [(SPIKE, 2, 4)]
    assert device.outbox.made == 4


@pytest.mark.parametrize("kind", KINDS)
def test_what_has_not_come_was_not_planted(kind: str) -> None:
    device = planted(kind)
    lives(device, range(2))
    assert device.planted == []


# --- goodbye


@pytest.mark.parametrize("bad", [0.0, 1.0])
def test_the_last_message_alone_says_goodbye_and_is_never_cut(bad: float) -> None:
    telemetry = Telemetry("sim-00001", traits(1, "sim-00001", 0.0), Values(1), bad, "r")
    device = Device(Credential("sim-00001", "x"), 1, telemetry, Site())
    device.measure(0.0, 0.0)
    assert b"bye" not in device.outbox.waiting[0][1]
    device.leave()
    device.measure(1.0, 0.0)
    last = json.loads(SAID + device.outbox.waiting[1][1].partition(SAID)[2])
    assert (last["device"], last["seq"], last["run"], last["bye"]) == ("sim-00001", 1, "r", True)


# --- the rules that judge it


def test_the_rules_of_a_gateway_find_what_is_planted_and_no_value_of_its_own() -> None:
    file = REPOSITORY / "roles" / "alerting" / "files" / "proof-rules.yml"
    rules = {rule["name"]: rule for rule in yaml.safe_load(file.read_text())["rules"]}
    threshold = rules[RULES[SPIKE]]["threshold"]
    assert threshold["field"] == "temperature"
    highest = 26 + DAY_AMPLITUDE + max(max(Values(seed).warmth) for seed in range(20))
    assert highest + 10 < threshold["clear"] < threshold["above"] < 18 - DAY_AMPLITUDE + module.SPIKE - 10
    assert rules[RULES[SILENCE]]["silence"] == {"after": f"{SILENT_AFTER_S:g}s"}
    assert {tuple(rules[name]["devices"]) for name in RULES.values()} == {("sim-*",)}
