"""What the command line asks for, and why it can't be had."""

from __future__ import annotations

import itertools
import json
import math
import os
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

# One process serves so many devices with a tenth of a core.
DEVICES_OF_ONE_WORKER = 2000
# It is put into JSON as it is.
RUN = re.compile(r"[A-Za-z0-9.-]*")
SPIKE, SILENCE = KINDS = ("spike", "silence")


class OptionError(Exception):
    """What is wrong, why, and what to do."""


class Burst(NamedTuple):
    """More messages for a time.

    :ivar at_s: when it begins, in seconds of the hold.
    :ivar factor: by which the rate is multiplied.
    """

    at_s: float
    factor: float
    seconds: float


class Plant(NamedTuple):
    """What some devices do that alerting has to find.

    :ivar kind: one of KINDS.
    :ivar at_s: when it begins, in seconds of the hold.
    :ivar devices: how many do it.
    """

    kind: str
    at_s: float
    devices: int
    seconds: float


class Credential(NamedTuple):
    """A device; its name is user name and client id too."""

    device: str
    password: str


@dataclass(frozen=True)
class Options:
    """All of it; times in seconds.

    :ivar address: of the MQTT server, resolved.
    :ivar rate: messages a second of one device.
    :ivar bad: share of payloads that are no JSON, from 0 to 1.
    :ivar storms: seconds of the hold at which all connections are dropped.
    :ivar plants: each has devices of its own.
    :ivar run: what each payload says of the run; nothing if it is empty.
    """

    address: tuple[str, int]
    devices: tuple[Credential, ...]
    rate: float = 1.0
    qos: int = 1
    ramp_s: float = 10.0
    hold_s: float = 60.0
    drain_s: float = 30.0
    bursts: tuple[Burst, ...] = ()
    storms: tuple[float, ...] = ()
    plants: tuple[Plant, ...] = ()
    bad: float = 0.0
    skew_s: float = 0.0
    run: str = ""
    seed: int = 0
    workers: int = 1
    journal: Path | None = None


def parse(given: argparse.Namespace) -> Options:
    """Return what is asked for, with the journal's directory made.

    :raises OptionError: it can't be done.
    """
    numbers(given)
    workers = default_workers(given.devices) if given.workers is None else given.workers
    if not 1 <= workers <= given.devices:
        raise OptionError(f"--workers {workers}: give from 1 to as many as there are devices ({given.devices})")
    planted = plants(given)
    needed = sum(each.devices for each in planted)
    if needed > given.devices:
        raise OptionError(
            f"--spike and --silence: they take {needed} devices, each for one of them, and there are {given.devices}; "
            "ask for fewer"
        )
    return Options(
        address=resolved(given.mqtt),
        devices=credentials(given.credentials, given.devices),
        rate=given.rate,
        qos=given.qos,
        ramp_s=given.ramp,
        hold_s=given.hold,
        drain_s=given.drain,
        bursts=bursts(given.burst, given.hold),
        storms=tuple(sorted(given.storm)),
        plants=planted,
        bad=given.bad,
        skew_s=given.skew,
        run=run_name(given.run_name),
        seed=given.seed,
        workers=workers,
        journal=given.journal and journal(given.journal),
    )


def numbers(given: argparse.Namespace) -> None:
    """Look at each number alone.

    :raises OptionError: one is out of its range.
    """
    checks = (
        ("devices", given.devices >= 1, "at least 1"),
        ("rate", 0 < given.rate < math.inf, "messages a second above 0"),
        ("ramp", 0 <= given.ramp < math.inf, "seconds from 0"),
        ("hold", 0 < given.hold < math.inf, "seconds above 0"),
        ("drain", 0 <= given.drain < math.inf, "seconds from 0"),
        ("bad", 0 <= given.bad <= 1, "a share from 0 to 1"),
        ("skew", 0 <= given.skew < math.inf, "seconds from 0"),
    )
    for name, holds, wanted in checks:
        if not holds:
            raise OptionError(f"--{name} {getattr(given, name)}: give {wanted}")
    for at in given.storm:
        if not 0 <= at < given.hold:
            raise OptionError(f"--storm {at}: the hold has the seconds from 0 to {given.hold:g}; give one of them")


def run_name(said: str) -> str:
    """Return the name of the run.

    :raises OptionError: it has other characters than it may.
    """
    if not RUN.fullmatch(said):
        raise OptionError(f"--run {said!r}: give letters, digits, hyphens and points alone, such as 20261118T110640Z-1")
    return said


def bursts(said: list[str], hold_s: float) -> tuple[Burst, ...]:
    """Return the bursts in the order of time.

    :raises OptionError: one is none, or two overlap.
    """
    found = sorted(burst(each, hold_s) for each in said)
    for earlier, later in itertools.pairwise(found):
        if earlier.at_s + earlier.seconds > later.at_s:
            raise OptionError(f"--burst: that of second {earlier.at_s:g} lasts beyond {later.at_s:g}; make it shorter")
    return tuple(found)


def burst(said: str, hold_s: float) -> Burst:
    """Return a burst.

    :raises OptionError: it is none, or not within the hold.
    """
    try:
        found = Burst(*map(float, said.split(":")))
    except (ValueError, TypeError):
        raise OptionError(f"--burst {said}: give AT:FACTOR:SECONDS, such as 30:3:10") from None
    if not (0 < found.factor < math.inf and 0 < found.seconds < math.inf and 0 <= found.at_s < hold_s):
        raise OptionError(f"--burst {said}: give a second of the hold ({hold_s:g} s), and numbers above 0")
    return found


def plants(given: argparse.Namespace) -> tuple[Plant, ...]:
    """Return what is planted.

    :raises OptionError: it can't be.
    """
    return tuple(plant(kind, each, given.hold) for kind in KINDS for each in getattr(given, kind))


def plant(kind: str, said: str, hold_s: float) -> Plant:
    """Return a spike or a silence.

    :raises OptionError: it is none, or not within the hold.
    """
    try:
        at, devices, seconds = said.split(":")
        found = Plant(kind, float(at), int(devices), float(seconds))
    except ValueError:
        raise OptionError(f"--{kind} {said}: give AT:DEVICES:SECONDS, such as 10:5:20") from None
    if not (found.devices >= 1 and found.seconds > 0 and found.at_s >= 0 and found.at_s + found.seconds <= hold_s):
        raise OptionError(f"--{kind} {said}: give seconds within the hold ({hold_s:g} s), and at least one device")
    return found


def resolved(said: str) -> tuple[str, int]:
    """Return the address of the MQTT server, so that devices don't ask for it one by one.

    :raises OptionError: it is none, or unknown.
    """
    host, _colon, port = said.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 0x10000:
        raise OptionError(f"--mqtt {said}: give HOST:PORT, such as pi1.local:1883")
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    except OSError as error:
        raise OptionError(f"--mqtt {said}: {host} has no address ({error}); give a name that resolves") from error
    # Mosquitto may listen at 127.0.0.1 alone, and `localhost` be ::1 first.
    address = min(found, key=lambda each: each[0] != socket.AF_INET)[4]
    return str(address[0]), int(port)


def credentials(file: Path, count: int) -> tuple[Credential, ...]:
    """Return the first devices of a file by name.

    :raises OptionError: it can't be read, or has fewer.
    """
    try:
        passwords = json.loads(file.read_text(encoding="utf-8"))["passwords"]
        found = [Credential(device, passwords[device]) for device in sorted(passwords)]
    except OSError as error:
        raise OptionError(f"--credentials {file}: it can't be read ({error.strerror}); give a file that can") from error
    except (ValueError, KeyError, TypeError):
        raise OptionError(f'--credentials {file}: it is not {{"passwords": {{"DEVICE": "PASSWORD"}}}}') from None
    if len(found) < count:
        raise OptionError(f"--credentials {file}: it has {len(found)} devices, and --devices asks for {count}")
    for device, password in found:
        if not isinstance(password, str):
            raise OptionError(f"--credentials {file}: the password of {device} is no text")
        if not device or set(device) & set("/+#\0") or len(device.encode()) > 0xFF:
            raise OptionError(f"--credentials {file}: {device!r} can be no level of an MQTT topic; rename the device")
    return tuple(found[:count])


def journal(directory: Path) -> Path:
    """Return the directory, which is there then.

    :raises OptionError: it can't be written, or has the journal of another run.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(f"--journal {directory}: it can't be made ({error.strerror}); name another") from error
    if not os.access(directory, os.W_OK):
        raise OptionError(f"--journal {directory}: it can't be written; name another")
    if any(directory.glob("journal-*.jsonl")):
        raise OptionError(f"--journal {directory}: it has a journal of an earlier run; name another")
    return directory


def default_workers(devices: int) -> int:
    """Return how many processes are enough."""
    return 1 if devices <= DEVICES_OF_ONE_WORKER else os.cpu_count() or 1
