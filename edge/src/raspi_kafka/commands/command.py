"""`raspi-kafka command`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from .. import config_option, settings
from ..config_option import WRONG
from . import answer, config, record

if TYPE_CHECKING:
    import argparse

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

HELP = "give devices commands, from Kafka, and bring their answers back"
RUN_HELP = "take commands from Kafka to MQTT, until it is stopped"
SEND_HELP = "give a device a command, and wait for its answer"
SEND_DESCRIPTION = f"""\
{SEND_HELP.capitalize()}, which is printed as a line of JSON. Ends with 0 if the device has done it, with 1 if it
refuses, if the command has expired, or if Kafka does not take it, and with 2 if the command is wrong: then nothing was
sent."""


def add(commands: Commands) -> None:
    """Add it to what the command line may be."""
    parser = commands.add_parser("command", help=HELP, description=f"{HELP.capitalize()}.")
    parts = parser.add_subparsers(dest="part", required=True)
    add_run(parts)
    add_send(parts)


def add_run(parts: Commands) -> None:
    """Add `command run`."""
    parser = parts.add_parser("run", help=RUN_HELP, description=f"{RUN_HELP.capitalize()}.")
    config_option.add(parser, "commands.yml")
    parser.set_defaults(run=run)


def add_send(parts: Commands) -> None:
    """Add `command send`."""
    parser = parts.add_parser("send", help=SEND_HELP, description=SEND_DESCRIPTION)
    option = parser.add_argument
    option("--kafka", required=True, nargs="+", metavar="HOST:PORT", help="brokers")
    option("--device", required=True, metavar="NAME", help="the device, by its name at Mosquitto")
    option("--command", required=True, metavar="WORD", dest="word", help="such as ping or interval")
    option("--args", metavar="JSON", help='what the command takes, such as {"seconds": 5}')
    option("--expires", default="1m", metavar="SPAN", help="when it must not be done any more, 1s to 24h (1m)")
    option("--id", default="", metavar="TEXT", help="its id, to send the same one again (a new one)")
    parser.set_defaults(run=send)


def run(given: argparse.Namespace) -> int:
    """Return 0, 1 after a failure, or 2 if the configuration is wrong."""
    return config_option.run(given, config.load, live)


def live(wanted: config.Config) -> int:
    """Run the service until it is stopped or fails."""
    # --check is to answer without a Kafka client.
    from . import run as running  # noqa: PLC0415

    return running.run(wanted)


def send(given: argparse.Namespace) -> int:
    """Return 0 if the device has done it, 1 if not, or 2 if the command is wrong."""
    from . import send as sending  # noqa: PLC0415

    try:
        servers = settings.servers(given.kafka, "--kafka")
        life_s = settings.duration(given.expires, "--expires")
        args = None if given.args is None else parsed(given.args)
        sent = sending.prepared(sending.Wanted(given.device, given.word, args, life_s, given.id))
    except (settings.ConfigError, record.MisfitError) as wrong:
        print(f"nothing was sent: {wrong}", file=sys.stderr)
        return WRONG
    try:
        found = sending.send(servers, sent)
    except sending.SendError as failed:
        print(failed, file=sys.stderr)
        return 1
    if found is None:
        print(
            f"nobody has answered command {sent.id}, not even that it has expired: look on the gateway at systemctl "
            "status raspi-kafka-commands",
            file=sys.stderr,
        )
        return 1
    print(json.dumps(found))
    return 0 if found["status"] == answer.DONE else 1


def parsed(text: str) -> Any:
    """Return the arguments of a command.

    :raises ConfigError: they are no JSON.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as wrong:
        raise settings.ConfigError("--args", f"{text!r} is no JSON: {wrong}") from wrong
