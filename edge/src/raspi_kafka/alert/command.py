"""`raspi-kafka alert`."""

from __future__ import annotations

import contextlib
import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .. import config_option, settings
from ..config_option import WRONG
from . import config, recorded, replay, rules
from .topics import DEFAULT_TOPIC

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from .record import Record

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

HELP = "judge what devices say, and what they do not say"
RUN_HELP = "judge what comes into Kafka, until it is stopped"
CHECK_HELP = "validate rules files, and tell each rule in words"
TEST_HELP = "tell what rules would have done with recorded data"
TEST_DESCRIPTION = f"""\
{TEST_HELP.capitalize()}: a line for each alert, with its time, and in the end the counts of each rule. Of the pipeline
nothing is recorded, so it counts as proven all the time: whoever has no record between the first one and the newest
one of all partitions was silent. Ends with 0, or with 2 if a file is wrong."""
RECORD_HELP = "write what is in topics of Kafka to a file, for `alert test`"
RECORD_DESCRIPTION = f"""\
{RECORD_HELP.capitalize()}: all records that are there as it begins, one JSON object a line. It joins no consumer group.
Ends with 0, with 1 if Kafka does not give them, or with 2 if the command is wrong."""


def add(commands: Commands) -> None:
    """Add it to what the command line may be."""
    parser = commands.add_parser("alert", help=HELP, description=f"{HELP.capitalize()}.")
    parts = parser.add_subparsers(dest="part", required=True)
    add_run(parts)
    add_check(parts)
    add_test(parts)
    add_record(parts)


def add_run(parts: Commands) -> None:
    """Add `alert run`."""
    parser = parts.add_parser("run", help=RUN_HELP, description=f"{RUN_HELP.capitalize()}.")
    config_option.add(parser, "alert.yml", "validate it and the rules files that it names, and end")
    parser.set_defaults(run=run)


def add_check(parts: Commands) -> None:
    """Add `alert check`."""
    parser = parts.add_parser("check", help=CHECK_HELP, description=f"{CHECK_HELP.capitalize()}.")
    parser.add_argument("rules", type=Path, nargs="+", metavar="RULES", help="the rules file, and further ones")
    parser.set_defaults(run=check)


def add_test(parts: Commands) -> None:
    """Add `alert test`."""
    parser = parts.add_parser("test", help=TEST_HELP, description=TEST_DESCRIPTION)
    parser.add_argument("rules", type=Path, metavar="RULES", help="the rules file")
    parser.add_argument("recorded", type=Path, metavar="RECORDED", help="what `alert record` has written")
    parser.set_defaults(run=test)


def add_record(parts: Commands) -> None:
    """Add `alert record`."""
    parser = parts.add_parser("record", help=RECORD_HELP, description=RECORD_DESCRIPTION)
    option = parser.add_argument
    option("--kafka", required=True, metavar="HOST:PORT", help="a broker")
    option("--topic", nargs="+", action="extend", metavar="TOPIC", help="topics to read (telemetry)")
    option("--since", metavar="SPAN", help="only what was appended within this span, such as 90s, 1h or 7d (all)")
    option("--out", type=Path, metavar="FILE", help="the file to write (standard output)")
    parser.set_defaults(run=record)


def run(given: argparse.Namespace) -> int:
    """Return 0, 1 after a failure, or 2 if the configuration is wrong."""
    return config_option.run(given, config.load, live)


def live(wanted: config.Config) -> int:
    """Run alerting until it is stopped or fails."""
    # --check is to answer without a Kafka client.
    from . import run as running  # noqa: PLC0415

    return running.run(wanted)


def check(given: argparse.Namespace) -> int:
    """Return 0, or 2 if a rules file is wrong."""
    try:
        found = rules.load(*given.rules)
    except settings.ConfigError as wrong:
        print(wrong, file=sys.stderr)
        return WRONG
    for rule in found.rules:
        print(rule.words())
    return 0


def test(given: argparse.Namespace) -> int:
    """Return 0, or 2 if a file is wrong."""
    try:
        for line in replay.lines(rules.load(given.rules), recorded.read(given.recorded)):
            print(line)
    except (settings.ConfigError, recorded.RecordedError) as wrong:
        print(wrong, file=sys.stderr)
        return WRONG
    return 0


def record(given: argparse.Namespace) -> int:
    """Return 0, 1 if Kafka does not give records, or 2 if the command is wrong."""
    try:
        (server,) = settings.servers([given.kafka], "--kafka")
        topics = [settings.kafka_topic(each, "--topic") for each in given.topic or [DEFAULT_TOPIC]]
        since_s = None if given.since is None else settings.duration(given.since, "--since")
    except settings.ConfigError as wrong:
        print(wrong, file=sys.stderr)
        return WRONG
    from . import recorder  # noqa: PLC0415

    try:
        count = write(recorder.record(server, topics, since_s), given.out)
    except (recorder.RecorderError, OSError) as failed:
        print(failed, file=sys.stderr)
        return 1
    print(f"{count} records of {', '.join(topics)}", file=sys.stderr)
    return 0


def write(records: Iterator[Record], path: Path | None) -> int:
    """Write records to a file, or to standard output; return how many there are.

    :raises OSError: it can't be written.
    """
    first = list(itertools.islice(records, 1))  # before a file that is there already loses what it has
    count = 0
    with path.open("w", encoding="utf-8") if path else contextlib.nullcontext(sys.stdout) as out:
        for each in itertools.chain(first, records):
            print(recorded.line_of(each), file=out)
            count += 1
    return count
