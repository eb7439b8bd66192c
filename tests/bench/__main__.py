"""Command line: python3 -m tests.bench [--set NAME] [BENCH...], as `make bench` does. It judges nothing."""

from __future__ import annotations

import argparse
import sys

from tests.hosts.step import Failure, tell

from . import deploys, idle, start, tools, topics
from .pi import ready
from .table import machine

BENCHES = {
    "start": start.main,
    "tools": tools.main,
    "idle": idle.main,
    "topics": topics.main,  # for minutes after it a broker deletes 100 topics
    "deploys": deploys.main,
}


def main() -> int:
    """Run the benches that are named, or all, and print a table of each."""
    parser = argparse.ArgumentParser(prog="python3 -m tests.bench", description="How fast, and how much of the card.")
    parser.add_argument("--set", default="bench", help="the stand-in to measure; it stays (%(default)s)")
    parser.add_argument("bench", nargs="*", metavar="BENCH", help=f"{', '.join(BENCHES)}; all if none is named")
    options = parser.parse_args()
    unknown = [name for name in options.bench if name not in BENCHES]
    if unknown:
        parser.error(f"there is no bench {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    try:
        pi = ready(options.set)
        print(machine(pi.container), end="\n\n", flush=True)
        for name in options.bench or BENCHES:
            print(BENCHES[name](pi), flush=True)
    except Failure as failure:
        tell(str(failure))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
