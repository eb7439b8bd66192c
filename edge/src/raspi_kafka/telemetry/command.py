"""`raspi-kafka telemetry`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import config_option
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
    config_option.add(parser, "telemetry.yml")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Return 0, 1 after a failure, or 2 if the configuration is wrong."""
    return config_option.run(given, config.load, live)


def live(wanted: config.Config) -> int:
    """Run the agent until it is stopped or fails."""
    # --check is to answer without an MQTT client.
    from . import run as running  # noqa: PLC0415

    return running.run(wanted)
