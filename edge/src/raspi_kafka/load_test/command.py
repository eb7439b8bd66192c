"""`raspi-kafka load-test`."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from raspi_kafka.simulate import command as simulate
from raspi_kafka.simulate.options import OptionError, bursts, plants

from .options import BURST, GROUPS, PAUSE, STAGES, STORM, Options, count, counts, pause

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

HELP = "count what becomes of the messages of simulated devices, stage by stage"
DESCRIPTION = f"""\
{HELP.capitalize()}: sent, acknowledged, stored in Kafka, consumed by two groups, lost, duplicated, out of order, and
how long each took. Writes ledger.json and report.html. Ends as `raspi-kafka report` does, and with 130 after Ctrl-C."""
SIMULATED = ("bad", "skew", "seed", "workers")
REPEATED = ("burst", "storm", "spike", "silence")


def add(commands: Commands) -> None:
    """Add it to what the command line may be."""
    parser = commands.add_parser("load-test", help=HELP, description=DESCRIPTION)
    simulate.add_server(parser)
    option = parser.add_argument
    option("--kafka", required=True, metavar="HOST:PORT[,...]", help="brokers of Kafka")
    option("--topic", default="telemetry", help="where the bridge takes the messages of devices/+/# (telemetry)")
    option("--out", type=Path, required=True, metavar="DIR", help="folder for ledger.json and report.html")
    option("--append", action="store_true", help="add to the ledger that the folder has")
    option(
        "--run",
        dest="run_name",
        default="",
        metavar="TEXT",
        help="name of the run, which the ledgers of several generators have in common (the time when it begins)",
    )
    default = ",".join(map(str, STAGES))
    option("--stages", type=counts, metavar="N,...", help=f"numbers of devices ({default}; none with --find-limit)")
    option("--find-limit", type=count, metavar="MOST", help="go on to the largest number that is held, MOST at most")
    simulate.add_course(parser)
    option("--pause", type=pause, metavar="AT:SECONDS", help="let group b not read for a time, from its second AT on")
    option(
        "--events",
        type=Path,
        metavar="FILE",
        help='what is done to the stack: lines of {"at": UNIX TIME, "what": TEXT}',
    )
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Return what the report returns; 2 for what can't be done, 130 after Ctrl-C."""
    try:
        # The bridge on a Pi shares this program, and is to run without what only this needs.
        from raspi_kafka.report.ledger import LedgerError  # noqa: PLC0415

        from .kafka import LoadTestError  # noqa: PLC0415
        from .run import run as run_all  # noqa: PLC0415
    except ImportError as missing:
        print(f"raspi-kafka load-test needs {missing.name}: pip install 'raspi-kafka[load]'", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return run_all(options(given))
    except (LoadTestError, LedgerError, OptionError) as wrong:
        print(wrong, file=sys.stderr)
        return 2


def options(given: argparse.Namespace) -> Options:
    """Return what is asked for; what only the simulator knows is passed on as it is."""
    simulated = [f"--{name}={value}" for name in SIMULATED if (value := getattr(given, name)) is not None]
    simulated += [f"--{name}={value}" for name in REPEATED for value in getattr(given, name)]
    own = {name: getattr(given, name) for name in Options.__dataclass_fields__ if hasattr(given, name)}
    own |= {"find_limit": given.find_limit is not None, "most": given.find_limit or 0, "simulate": tuple(simulated)}
    own["stages"] = given.stages or (() if own["find_limit"] else STAGES)
    return Options(**own, planned=tuple(planned(given)))


def planned(given: argparse.Namespace) -> Iterator[tuple[float, str, str]]:
    """Yield what is done on request: seconds after the stage began, what, and its kind."""
    if given.pause:
        at, seconds = given.pause
        yield at, f"consumer {GROUPS[-1]} stops to read for {seconds:g} s", PAUSE
    for burst in bursts(given.burst, given.hold):
        yield given.ramp + burst.at_s, f"{burst.factor:g} times the rate for {burst.seconds:g} s", BURST
    for at in given.storm:
        yield given.ramp + at, "all devices lose their connection", STORM
    for each in plants(given):
        yield given.ramp + each.at_s, f"in {each.devices} of the devices, for {each.seconds:g} s", each.kind
