"""Samples services of this host until SIGTERM: python -m raspi_kafka.load_test.sample OUT NAME=UNIT ..."""

from __future__ import annotations

import json
import signal
import sys
from functools import partial
from pathlib import Path

from .processes import Sampler, pid_of_unit


def main(out: Path, services: dict[str, str]) -> None:
    """Write what was sampled to a file in the end, as `raspi-kafka report --processes` reads it."""
    ends = (signal.SIGTERM, signal.SIGINT)
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    with Sampler({name: partial(pid_of_unit, unit) for name, unit in services.items()}) as sampler:
        signal.sigwait(ends)
    out.write_text(json.dumps({"processes": sampler.samples}), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), dict(each.split("=", 1) for each in sys.argv[2:]))
