"""The Docker engine for the stages: used if it answers, else started, and then ended by who started it."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

from tests.hosts import cache, engine, host
from tests.hosts.step import Failure, tell


def up() -> None:
    """Use or start an engine, through sudo where it does not let this user in."""
    try:
        engine.up()
    except Failure as failure:
        docker = shutil.which("docker", path=os.environ["PATH"].replace(str(wrappers()), ""))
        if "refuses this user" not in str(failure) or not docker or not shutil.which("sudo"):
            raise
        # Nobody is added to a group: that would outlive the tests. The directory leads the stages' PATH.
        wrapper = wrappers() / "docker"
        wrapper.write_text(f'#!/bin/sh\nexec sudo --non-interactive {shlex.quote(docker)} "$@"\n')
        wrapper.chmod(0o755)
        tell(f"engine: through sudo, by {wrapper}")
        engine.up()


def down() -> None:
    """End the engine that was started here, unless hosts still run on it."""
    if engine.own_pid() is None:
        return
    hosts = engine.docker("ps", "--quiet", "--filter", f"label={host.LABEL}", what="the engine does not answer")
    if hosts:
        tell(f"engine: {len(hosts.split())} hosts run, so it stays")
        return
    engine.down()


def wrappers() -> Path:
    """Return where `docker` may be one that goes through sudo."""
    return cache.directory("_bin")


if __name__ == "__main__":
    try:
        {"up": up, "down-if-idle": down, "down": engine.down}[sys.argv[1]]()
    except Failure as failure:
        sys.exit(str(failure))
