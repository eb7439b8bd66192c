"""`raspi-kafka simulate`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from . import limits, options
from .options import OptionError

if TYPE_CHECKING:
    import argparse

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

HELP = "send telemetry as many devices, each over an MQTT connection of its own"
DESCRIPTION = f"""\
{HELP.capitalize()}. The devices connect over the ramp and send until the end of the hold. What is not acknowledged is
sent again, in order, over the next connection. Ends with 0 if all was acknowledged, and with 1 if not."""


def add(commands: Commands) -> None:
    """Add it to what the command line may be."""
    parser = commands.add_parser("simulate", help=HELP, description=DESCRIPTION)
    add_server(parser)
    option = parser.add_argument
    option("--devices", type=int, required=True, metavar="N", help="the first N devices of the credentials by name")
    add_course(parser)
    option(
        "--run",
        dest="run_name",
        default="",
        metavar="TEXT",
        help="put this into each payload, so that messages of another run are not taken for those of this one",
    )
    option("--journal", type=Path, metavar="DIR", help="write there when each message was sent and acknowledged")
    parser.set_defaults(run=run)


def add_server(parser: argparse.ArgumentParser) -> None:
    """Add where to send, and as whom."""
    option = parser.add_argument
    option("--mqtt", required=True, metavar="HOST:PORT", help="the MQTT server")
    option(
        "--credentials", type=Path, required=True, metavar="FILE", help='JSON: {"passwords": {"DEVICE": "PASSWORD"}}'
    )


def add_course(parser: argparse.ArgumentParser) -> None:
    """Add how much each device sends, for how long, and what is out of the ordinary."""
    option = parser.add_argument
    option("--rate", type=float, default=1.0, metavar="R", help="messages a second of each device (1)")
    option("--qos", type=int, choices=(0, 1, 2), default=1, help="quality of service (1)")
    option("--ramp", type=float, default=10.0, metavar="S", help="seconds over which the devices connect (10)")
    option("--hold", type=float, default=60.0, metavar="S", help="seconds with all of them (60)")
    option("--drain", type=float, default=30.0, metavar="S", help="seconds for the last acknowledgements (30)")
    option("--seed", type=int, default=0, metavar="N", help="the same seed makes the same devices")
    option("--workers", type=int, metavar="N", help="processes; the default is 1, above 2,000 devices one per CPU")
    add_faults(parser)


def add_faults(parser: argparse.ArgumentParser) -> None:
    """Add what is to be out of the ordinary."""
    option = parser.add_argument
    option(
        "--burst",
        action="append",
        default=[],
        metavar="AT:FACTOR:SECONDS",
        help="from second AT of the hold, FACTOR times the rate for SECONDS; may be given again",
    )
    option(
        "--storm",
        action="append",
        default=[],
        type=float,
        metavar="AT",
        help="at second AT of the hold all devices lose their connection; may be given again",
    )
    for name, what in (("spike", "measure far too much"), ("silence", "publish nothing")):
        option(
            f"--{name}",
            action="append",
            default=[],
            metavar="AT:DEVICES:SECONDS",
            help=f"from second AT of the hold, DEVICES others {what} for SECONDS; may be given again",
        )
    option("--bad", type=float, default=0.0, metavar="SHARE", help="share of payloads that are cut JSON (0)")
    option("--skew", type=float, default=0.0, metavar="S", help="clocks of devices are wrong by at most S seconds (0)")


def run(given: argparse.Namespace) -> int:
    """Return 0, 1 if not all was acknowledged, 2 if the command is wrong; of a signal 128 and its number."""
    try:
        wanted = options.parse(given)
        limits.check(wanted)
    except OptionError as wrong:
        print(wrong, file=sys.stderr)
        return 2
    # The bridge on a Pi starts without what only this needs.
    from . import workers  # noqa: PLC0415

    return workers.run(wanted)
