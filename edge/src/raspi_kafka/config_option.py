"""The command line of a service: its configuration, and whether only to look at it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from .settings import ConfigError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

Config = TypeVar("Config")
WRONG = 2


def add(parser: argparse.ArgumentParser, name: str, check: str = "validate the file and end") -> None:
    """Add --config and --check.

    :param name: of the file, for people.
    :param check: what --check does, for people.
    """
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help=f"the file {name}")
    parser.add_argument("--check", action="store_true", help=check)


def run(given: argparse.Namespace, load: Callable[[Path], Config], live: Callable[[Config], int]) -> int:
    """Return what one life of the service returns, 0 where it is only looked at, or 2 if the configuration is wrong.

    :param load: makes a configuration of a file, or raises ConfigError.
    :param live: is called for nothing but a life, so that --check needs none of the clients that it imports.
    """
    try:
        wanted = load(given.config)
    except ConfigError as wrong:
        print(wrong, file=sys.stderr)
        return WRONG
    return 0 if given.check else live(wanted)
