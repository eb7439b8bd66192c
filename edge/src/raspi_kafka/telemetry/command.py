"""`raspi-kafka telemetry`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .. import settings
from . import config

if TYPE_CHECKING:
    import argparse

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

HELP = "publish what this computer measures of itself"
DESCRIPTION = f"""\
{HELP.capitalize()}, over MQTT, about once a second. What the MQTT server does not take waits on the disk."""


def add(commands: Commands) -> None:
    """Add it to what the command line may be."""
    parser = commands.add_parser("telemetry", help=HELP, description=DESCRIPTION)
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the file telemetry.yml")
    parser.add_argument("--check", action="store_true", help="validate the file and end")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Return 0, 1 after a failure, or 2 if the configuration is wrong."""
    try:
        wanted = config.load(given.config)
    except settings.ConfigError as wrong:
        print(wrong, file=sys.stderr)
        return 2
    if given.check:
        return 0
    # --check is to answer without an MQTT client.
    from . import run as running  # noqa: PLC0415

    return running.run(wanted)
