"""`raspi-kafka bridge`."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from .. import config_option, garbage, logs
from . import config

if TYPE_CHECKING:
    import argparse

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def add(commands: Commands) -> None:
    """Add it to what the command line may be."""
    parser = commands.add_parser("bridge", help="carry messages from MQTT to Kafka")
    config_option.add(parser, "bridge.yml")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Return 0, 1 after a failure, or 2 if the configuration is wrong."""
    return config_option.run(given, config.load, carry)


def carry(wanted: config.Config) -> int:
    """Run the bridge until it is stopped or fails."""
    # --check is to answer without a Kafka client.
    from .bridge import Bridge, BridgeError  # noqa: PLC0415

    logs.set_up()
    garbage.search_seldom()

    async def bridge() -> None:
        await Bridge(wanted).run()

    try:
        asyncio.run(bridge())
    except (BridgeError, OSError) as failed:
        logging.getLogger(__name__).critical("the bridge ends: %s", failed)
        return 1
    return 0
