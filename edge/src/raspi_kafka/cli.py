"""The command `raspi-kafka`."""

from __future__ import annotations

import argparse

from . import __version__
from .alert import command as alert
from .bridge import command as bridge
from .load_test import command as load_test
from .report import command as report
from .simulate import command as simulate

COMMANDS = (bridge, alert, simulate, load_test, report)


def main(argv: list[str] | None = None) -> int:
    """Return 0, 1 after a failure, 2 if the configuration or the command is wrong, or 128 and a signal."""
    given = arguments().parse_args(argv)
    return given.run(given)


def arguments() -> argparse.ArgumentParser:
    """Return what the command line may be."""
    parser = argparse.ArgumentParser(prog="raspi-kafka", description=__doc__)
    parser.add_argument("--version", action="version", version=f"raspi-kafka {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    for command in COMMANDS:
        command.add(commands)
    return parser
