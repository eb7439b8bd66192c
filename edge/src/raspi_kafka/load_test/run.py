"""All stages of a load test, one after the other, and the ledger of them."""

from __future__ import annotations

import json
import os
import platform
import secrets
import shutil
import socket
import sys
import time
from typing import TYPE_CHECKING, Any

from raspi_kafka import __version__
from raspi_kafka.cli import arguments
from raspi_kafka.report import ledger as ledgers
from raspi_kafka.report import report
from raspi_kafka.report.verdict import PASSED
from raspi_kafka.simulate import limits
from raspi_kafka.simulate import options as simulate

from . import kafka, ledger
from .judged import LOOK_S, RULES, SILENT_AFTER_S
from .kafka import LoadTestError
from .limit import next_count
from .stage import Stage, simulator_command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .options import Options

ABORTED = 130
# Kafka stamps what is in it by its own clock, and nobody takes it for data.
CLOCK_TOPIC = "raspi-kafka-verify"


def run(wanted: Options) -> int:
    """Run it, and tell what was found; return the exit code of the report, 130 after Ctrl-C.

    :raises LoadTestError: it can't be done.
    :raises LedgerError: the ledger is none.
    """
    check(wanted)
    path = wanted.out / "ledger.json"
    book = begun(wanted)
    # Another generator of this run sends to the same topic at the same time, and has messages and groups of its own.
    own = secrets.token_hex(4)
    aborted = False
    for count in stages(wanted, path):
        print(f"Stage of {count} devices ...", flush=True)
        number = len(book["stages"]) + 1
        folder = wanted.out / f"stage-{number}"
        stage = Stage(wanted, count, folder, f"{book['run']}-{number}-{own}")
        book["stages"].append(stage.run())
        ledger.write(path, book)
        shutil.rmtree(folder)  # the ledger has all of it
        aborted = stage.aborted
        if aborted:
            break
    code = report.report(ledgers.load(path), wanted.out / "report.html", [], sys.stdout)
    return ABORTED if aborted else code


def begun(wanted: Options) -> dict[str, Any]:
    """Return the ledger without stages, or with those of the run that this one goes on with."""
    path = wanted.out / "ledger.json"
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    began = time.time()
    clock = kafka.clock(wanted.kafka, CLOCK_TOPIC)
    return {
        "version": ledgers.VERSION,
        "run": wanted.run_name or time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(began)),
        "began": began,
        "product": __version__,
        "mqtt": wanted.mqtt,
        "kafka": wanted.kafka,
        "topic": wanted.topic,
        "generators": [generator(wanted.mqtt)],
        "clock": clock and clock._asdict(),
        "stages": [],
    }


def stages(wanted: Options, path: Path) -> Iterator[int]:
    """Yield how many devices to take next; those that were asked for, and then those that find the limit."""
    yield from wanted.stages
    while wanted.find_limit:
        held: dict[bool, list[int]] = {True: [], False: []}
        for each in report.judged(ledgers.load(path)) if path.exists() else ():
            held[each.verdict.state == PASSED].append(each.stage.devices_wanted)
        count = next_count(held[True], held[False], wanted.most)
        if count is None:
            return
        yield count


def check(wanted: Options) -> None:
    """Refuse what can't be done before anything is sent.

    :raises LoadTestError: there is such a thing.
    :raises LedgerError: the ledger to append to is none.
    """
    try:
        there = len(json.loads(wanted.credentials.read_text(encoding="utf-8"))["passwords"])
    except OSError as failed:
        raise LoadTestError(
            f"{wanted.credentials} can't be read: {failed.strerror}. Name the file of passwords."
        ) from failed
    except (ValueError, KeyError, TypeError) as wrong:
        raise LoadTestError(f'{wanted.credentials} is not {{"passwords": {{"DEVICE": "PASSWORD"}}}}.') from wrong
    counts = {*wanted.stages, *([wanted.most] if wanted.find_limit else [])}
    if there < max(counts):
        raise LoadTestError(f"{wanted.credentials} has {there} devices, and the largest stage wants {max(counts)}.")
    for count in sorted(counts):
        check_simulated(wanted, count)
    path = wanted.out / "ledger.json"
    if path.exists():
        if not wanted.append:
            raise LoadTestError(f"{wanted.out} has the ledger of another run. Name another folder, or --append to it.")
        ledgers.load(path)
    wanted.out.mkdir(parents=True, exist_ok=True)
    kafka.ends(wanted.kafka, wanted.topic)


def check_simulated(wanted: Options, count: int) -> None:
    """Ask the simulator's own rules.

    :raises LoadTestError: it would refuse so many devices, or anything else of it.
    """
    try:
        simulate.run_name(wanted.run_name)
        asked = simulate.parse(arguments().parse_args(simulator_command(wanted, count)))
        limits.check(asked)
        check_plants(asked)
    except simulate.OptionError as wrong:
        raise LoadTestError(str(wrong)) from wrong


def check_plants(asked: simulate.Options) -> None:
    """Refuse what alerting could not tell apart.

    :raises OptionError: there is such a thing.
    """
    interval = 1 / asked.rate
    if asked.plants and interval > SILENT_AFTER_S / 2:
        raise simulate.OptionError(
            f"--spike and --silence: at --rate {asked.rate:g} each device is silent for {interval:g} s between two "
            f"messages, and {RULES[simulate.SILENCE]} raises an alert after {SILENT_AFTER_S:g} s; "
            f"give a rate of at least {2 / SILENT_AFTER_S:g}"
        )
    # The last message of a run ends a silence early.
    least = SILENT_AFTER_S + LOOK_S + interval
    for each in asked.plants:
        if each.kind == simulate.SILENCE and each.seconds < least:
            raise simulate.OptionError(
                f"--silence of {each.seconds:g} s: {RULES[simulate.SILENCE]} raises an alert after {SILENT_AFTER_S:g} "
                f"s, and needs some more to be sure; give at least {least:g} s"
            )


def generator(mqtt: str) -> dict[str, Any]:
    """Return what the simulated devices run on."""
    cpus = os.cpu_count() or 1
    return {
        "host": platform.node(),
        "on_test_host": is_here(mqtt.rpartition(":")[0].strip("[]")),
        "cpus": cpus,
        "machine": f"{platform.machine()}, {cpus} CPUs, {platform.system()} {platform.release()}",
    }


def is_here(host: str) -> bool:
    """Whether an address is one of this machine's: a way to oneself begins where it ends."""
    family, kind, protocol, _name, address = socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        try:
            probe.connect(address)
        except OSError:
            return False
        return probe.getsockname()[0] == address[0]
