"""Command line: python3 -m tests.bench [--set NAME] [BENCH...], as `make bench` does. It judges nothing."""

from __future__ import annotations

import argparse
import sys

from tests.hosts.step import Failure, tell

from . import (
    alerting,
    alerts,
    bridge,
    deploys,
    failover,
    gate,
    growth,
    hosts,
    idle,
    original,
    start,
    telemetry,
    tools,
    topics,
)
from .pi import ready
from .table import machine

BENCHES = {
    "start": start.main,
    "tools": tools.main,
    "idle": idle.main,
    "topics": topics.main,  # for minutes after it a broker deletes 100 topics
    "deploys": deploys.main,
}
# They make hosts of their own, or none.
WITHOUT_STAND_IN = {
    "gate": gate.main,
    "failover": failover.main,
    "growth": growth.main,
    "bridge": bridge.main,
    "original": original.main,
    "hosts": hosts.main,
    "alerts": alerts.main,
    "alerting": alerting.main,
    "telemetry": telemetry.main,
}


def main() -> int:
    """Run the benches that are named, or all, and print a table of each."""
    known = [*BENCHES, *WITHOUT_STAND_IN]
    parser = argparse.ArgumentParser(prog="python3 -m tests.bench", description="How fast, and how much of the card.")
    parser.add_argument("--set", default="bench", help="the stand-in to measure; it stays (%(default)s)")
    parser.add_argument("bench", nargs="*", metavar="BENCH", help=f"{', '.join(known)}; all if none is named")
    options = parser.parse_args()
    unknown = [name for name in options.bench if name not in known]
    if unknown:
        parser.error(f"there is no bench {', '.join(unknown)}; there are {', '.join(known)}")
    try:
        run(options.bench or known, options.set)
    except Failure as failure:
        tell(str(failure))
        return 1
    return 0


def run(names: list[str], stand_in: str) -> None:
    """Print a table of each, and before them what is measured; no stand-in is made where none is asked for."""
    measured = [name for name in names if name in BENCHES]
    if measured:
        pi = ready(stand_in)
        print(machine(pi.container), end="\n\n", flush=True)
    for name in measured:
        print(BENCHES[name](pi), flush=True)
    for name in (name for name in names if name in WITHOUT_STAND_IN):
        print(WITHOUT_STAND_IN[name](), flush=True)


if __name__ == "__main__":
    sys.exit(main())
