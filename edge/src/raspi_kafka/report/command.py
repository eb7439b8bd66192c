"""`raspi-kafka report`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

HELP = "tell what a load test found"
DESCRIPTION = f"""\
{HELP.capitalize()}. Ends with 0 if every stage passed, with 1 if one failed, with 2 if the input is wrong, and
with 3 if none failed but the generator was too slow in one."""
WRONG_INPUT = 2


def add(commands: Commands) -> None:
    """Add it to what the command line may be."""
    parser = commands.add_parser("report", help=HELP, description=DESCRIPTION)
    option = parser.add_argument
    option(
        "ledgers",
        type=Path,
        nargs="+",
        metavar="LEDGER",
        help="the ledger.json of a load test; those of all its generators where there were several",
    )
    option("--merged", type=Path, metavar="FILE", help="write the one ledger that those of several generators are")
    option("--html", type=Path, metavar="FILE", help="write the report with plots as one HTML file too")
    option(
        "--processes",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE",
        help="processes that were sampled on their hosts: JSON, as the ledger has them, with times since the epoch",
    )
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Return 0 if every stage passed, 1 if one failed, 2 for wrong input, 3 if only the generator was too slow."""
    try:
        # The bridge on a Pi shares this program, and is to run without what only a report needs.
        from .generators import load  # noqa: PLC0415
        from .ledger import LedgerError  # noqa: PLC0415
        from .report import report  # noqa: PLC0415
    except ImportError as missing:
        print(f"raspi-kafka report needs {missing.name}: pip install 'raspi-kafka[load]'", file=sys.stderr)
        return WRONG_INPUT
    try:
        return report(load(given.ledgers, given.merged), given.html, given.processes, sys.stdout)
    except LedgerError as wrong:
        print(wrong, file=sys.stderr)
        return WRONG_INPUT
