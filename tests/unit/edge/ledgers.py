"""Ledgers of load tests as raspi-kafka load-test writes them, from a seed."""

from __future__ import annotations

import random
from typing import Any

BEGAN = 1_795_000_000.0
OFFSET_MS = 0.5
GROUPS = ("a", "b")
# Process -> CPU seconds per second, bytes of memory, bytes written per second.
PROCESSES = {
    "pi1 kafka": (0.24, 620 << 20, 90_000),
    "pi1 bridge": (0.06, 30 << 20, 0),
    "pi1 mosquitto": (0.05, 14 << 20, 2_000),
    "generator": (0.04, 40 << 20, 100),
    "consumer a": (0.03, 45 << 20, 0),
    "consumer b": (0.03, 45 << 20, 0),
}


def ledger(*stages: dict[str, Any], clock: bool = True) -> dict[str, Any]:
    """Return a run of these stages, one after another; of one small stage if none is given."""
    chosen = list(stages or [stage()])
    began = BEGAN
    for each in chosen:
        each["began"], each["ended"] = began, began + each["ended"] - each["began"]
        began = each["ended"] + 5
    return {
        "version": 4,
        "run": "20261118T110640Z",
        "began": BEGAN,
        "product": "0.1.0",
        "mqtt": "pi1.example:1883",
        "kafka": "pi1.example:9092",
        "topic": "telemetry",
        "generators": [{"host": "laptop", "on_test_host": False, "cpus": 4, "machine": "x86_64 Linux 6.12"}],
        "clock": {"offset_ms": OFFSET_MS, "error_ms": 0.8} if clock else None,
        "stages": chosen,
    }


def stage(
    *, seed: int = 1, devices: int = 5, seconds: int = 10, qos: int = 1, events: tuple[tuple[float, str, str], ...] = ()
) -> dict[str, Any]:
    """Return a stage in which all went well; events are only told."""
    dice = random.Random(seed)
    lasted = seconds + 2.0
    return {
        "devices_wanted": devices,
        "rate": 1.0,
        "qos": qos,
        "ramp": 0,
        "seconds": seconds,
        "began": BEGAN,
        "ended": BEGAN + lasted,
        "lag_ms": {"p50": 0.4, "p99": 3.2, "max": 9.1},
        "devices": {f"sim-{number:05}": device(dice, seconds, qos) for number in range(1, devices + 1)},
        "real": {},
        "planted": [],
        "alerts": None,
        "events": [list(event) for event in events],
        "group_lag": {name: lag(dice, devices, int(lasted)) for name in GROUPS},
        "processes": {name: samples(dice, *used, int(lasted)) for name, used in PROCESSES.items()},
    }


def device(dice: random.Random, seconds: int, qos: int) -> dict[str, Any]:
    """Return a device that sends once a second, a little late now and then."""
    phase = dice.uniform(0, 1000)
    sent = [round(phase + 1000 * second + dice.expovariate(1), 3) for second in range(seconds)]
    acked = [round(ms + 1 + dice.expovariate(0.5), 3) for ms in sent]
    stored = [(ms + 8 + dice.gammavariate(2, 6), number) for number, ms in enumerate(sent)]
    stored.sort(key=lambda each: each[1])
    return {
        "made": len(sent),
        "sent": sent,
        "acked": acked if qos else [],
        "stored": [[number, round(ms + OFFSET_MS, 3)] for ms, number in stored],
        "groups": {
            name: [[number, round(ms + 2 + dice.expovariate(0.3), 3)] for ms, number in stored] for name in GROUPS
        },
        "disconnects": 0,
        "refused": 0,
        "resent": 0,
    }


def spike(said: dict[str, Any], device: str, first: int, after: int) -> None:
    """Plant a spike, which alerting tells 200 ms after its first record and 300 ms after the one behind it."""
    told(said, device, "spike", (first, after), (0, 200))


def silence(said: dict[str, Any], device: str, last: int) -> None:
    """Let a device be silent for 16 s after a message, which alerting tells 2.5 s after the 10 s of its rule."""
    each = said["devices"][device]
    for times in (each["sent"], each["acked"]):
        times[last + 1 :] = [round(ms + 15_000, 3) for ms in times[last + 1 :]]
    for pairs in (each["stored"], *each["groups"].values()):
        pairs[:] = [[number, round(ms + 15_000 * (number > last), 3)] for number, ms in pairs]
    told(said, device, "silence", (last, last + 1), (11_500, 12_500))


def told(said: dict[str, Any], device: str, kind: str, numbers: tuple[int, int], firing_ms: tuple[int, int]) -> None:
    """Let alerting tell of what a device does between two messages: when it decides after the first, and appends."""
    each = said["devices"][device]
    began, ended = (dict(each["stored"])[number] for number in numbers)
    rule = {"spike": "load-test-spike", "silence": "load-test-silent"}[kind]
    of = [f"{rule}/{device}/telemetry-0-{numbers[0]}", rule, device]
    said["planted"].append([device, kind, *(each["sent"][number] for number in numbers)])
    said["alerts"] = said["alerts"] or []
    said["alerts"] += [
        [*of, "FIRING", *(round(began + ms, 3) for ms in firing_ms)],
        [*of, "RESOLVED", ended, ended + 300],
    ]


def lag(dice: random.Random, devices: int, seconds: int) -> list[list[float]]:
    """Return a group's lag once a second, none at the end."""
    counts = [dice.randint(0, max(devices // 20, 1)) for _second in range(seconds)]
    return [[second * 1000 + 3, count] for second, count in enumerate([*counts, 0])]


def samples(dice: random.Random, cpu: float, rss: int, written: int, seconds: int) -> list[list[float]]:
    """Return what a process has used, once a second."""
    found, cpu_s, total = [], 12.0, 1_000_000
    for second in range(seconds + 1):
        found.append([second * 1000 + 7, round(cpu_s, 2), rss + dice.randint(0, rss // 50), total])
        cpu_s += dice.uniform(0.7, 1.3) * cpu
        total += int(dice.uniform(0.7, 1.3) * written)
    return found
