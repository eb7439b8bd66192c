"""Command line: python3 -m tests.hosts --help."""

import argparse
import json
import sys
from pathlib import Path

from . import archive, emulation, engine, host, image, inventory
from .step import CANNOT_BE_HAD, Failure, ImpossibleError, tell


def main() -> int:
    """Run one command; a failure is one sentence."""
    options = parser().parse_args()
    try:
        options.do(options)
    except Failure as failure:
        tell(str(failure))
        return 1
    except ImpossibleError as reason:
        tell(str(reason))
        return CANNOT_BE_HAD
    return 0


def parser() -> argparse.ArgumentParser:
    """Describe the commands."""
    top = argparse.ArgumentParser(prog="python3 -m tests.hosts", description="Raspberry Pi stand-ins in Docker")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    engine_commands = commands.add_parser("engine", help="the Docker engine").add_subparsers(required=True)
    engine_commands.add_parser("up", help="start one if none answers").set_defaults(do=lambda _: engine.up())
    engine_commands.add_parser("down", help="stop the one started here").set_defaults(do=lambda _: engine.down())
    add_image(commands.add_parser("image", help="build the image of a bare Pi"))
    add_archive(commands.add_parser("archive", help="get the Kafka archive into the cache"))
    add_up(commands.add_parser("up", help="boot hosts and write their inventory"))
    down = commands.add_parser("down", help="remove hosts")
    down.add_argument("name")
    down.set_defaults(do=lambda options: host.down(options.name))
    return top


def add_image(command: argparse.ArgumentParser) -> None:
    """Describe `image`."""
    add_kind(command)
    command.set_defaults(do=lambda options: print(image.build(options.suite, options.arch)))


def add_kind(command: argparse.ArgumentParser) -> None:
    """Describe which Debian."""
    command.add_argument("--suite", default=image.SUITE, help="Debian release (%(default)s)")
    command.add_argument(
        "--arch", choices=sorted({emulation.NATIVE, emulation.ARM64}), default=emulation.NATIVE, help="(%(default)s)"
    )


def add_archive(command: argparse.ArgumentParser) -> None:
    """Describe `archive`."""
    command.add_argument("--version", default=archive.VERSION, help="Kafka release (%(default)s)")
    command.add_argument("--json", action="store_true", help="print path and sha512 as JSON")
    command.set_defaults(do=print_archive)


def print_archive(options: argparse.Namespace) -> None:
    """Print where the archive is, for people or for programs."""
    made = archive.build(options.version)
    facts = {"path": str(made.path), "sha512": made.sha512}
    print(json.dumps(facts) if options.json else f"{made.path}\n{made.sha512}")


def add_up(command: argparse.ArgumentParser) -> None:
    """Describe `up`."""
    command.add_argument("name")
    command.add_argument("--count", type=int, choices=range(1, 101), metavar="N", default=1, help="how many hosts (1)")
    add_kind(command)
    command.add_argument("--example", type=Path, default=inventory.EXAMPLE, help="the inventory to start from")
    command.add_argument("--kafka-only", action="store_true", help="write that they get no MQTT side")
    command.set_defaults(do=lambda o: print(do_up(o)))


def do_up(options: argparse.Namespace) -> Path:
    """Boot hosts as the options say."""
    kind = (options.count, options.suite, options.arch, options.example)
    return host.up(options.name, *kind, kafka_only=options.kafka_only)


if __name__ == "__main__":
    sys.exit(main())
