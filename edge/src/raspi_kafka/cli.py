"""The command `raspi-kafka`."""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import TYPE_CHECKING

from . import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import ModuleType

# The word behind `raspi-kafka`, and the package that has it.
COMMANDS = {
    "bridge": "bridge",
    "alert": "alert",
    "command": "commands",
    "telemetry": "telemetry",
    "simulate": "simulate",
    "load-test": "load_test",
    "report": "report",
}


def main(argv: list[str] | None = None) -> int:
    """Return 0, 1 after a failure, 2 if the configuration or the command is wrong, or 128 and a signal."""
    words = sys.argv[1:] if argv is None else argv
    given = arguments(words).parse_args(words)
    return given.run(given)


def arguments(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Return what the command line may be.

    :param words: what it is; all commands are there unless it begins with one.
    """
    parser = argparse.ArgumentParser(prog="raspi-kafka", description=__doc__)
    parser.add_argument("--version", action="version", version=f"raspi-kafka {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    for command in meant(words):
        command.add(commands)
    return parser


def meant(words: Sequence[str]) -> Iterator[ModuleType]:
    """Yield the commands that may be meant: services on a Pi share this program, and each import costs them memory."""
    named = [package for word, package in COMMANDS.items() if word in words[:1]]
    for package in named or COMMANDS.values():
        yield importlib.import_module(f".{package}.command", __package__)
