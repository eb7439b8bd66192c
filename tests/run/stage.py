"""One stage: a command in a process group of its own, with a log and a time limit."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from tests.hosts import cache
from tests.hosts.step import CANNOT_BE_HAD, last_line, tell

SECONDS_TO_CLEAN_UP = 20
LINES_OF_A_FAILURE = 80
PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


@dataclass(frozen=True)
class Stage:
    """What to run, for how long at most, and after which other stages."""

    name: str
    command: list[str]
    limit: int
    needs: tuple[str, ...] = ()
    live: bool = False
    """Its output is shown while it runs, not only if it fails."""
    env: dict[str, str] = field(default_factory=dict)
    absent: str = ""
    """Why there is nothing to run, if so."""
    finds_out: bool = False
    """Its command finds out whether this machine can have it, and exits with CANNOT_BE_HAD if not."""


@dataclass(frozen=True)
class Result:
    """How a stage ended."""

    name: str
    state: str
    seconds: float = 0
    why: str = ""


class Interrupted(Exception):  # not an error: somebody wants us to stop
    """Ctrl-C or a signal that asks us to end; the stage that it hit is kept."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.why)
        self.result = result


def run(stage: Stage) -> Result:
    """Run one stage; on any end nothing of its process group is left."""
    tell(f"\n=== {stage.name} (at most {stage.limit} s)")
    log = cache.directory("logs") / (re.sub(r"[^\w.]+", "-", stage.name) + ".log")
    began = time.monotonic()
    state, why = FAILED, ""
    try:
        code = wait(stage, log, began + stage.limit)
        if code == 0:
            state = PASSED
        elif code == CANNOT_BE_HAD and stage.finds_out:
            state, why = SKIPPED, last_line(log.read_text(errors="replace"))
        else:
            why = f"exit {code}"
    except TimeoutError:
        why = f"took more than {stage.limit} s"
    except FileNotFoundError as missing:
        why = f"{missing.filename} is not installed"
    except KeyboardInterrupt:
        raise Interrupted(Result(stage.name, FAILED, time.monotonic() - began, "interrupted")) from None
    result = Result(stage.name, state, time.monotonic() - began, why)
    report(stage, result, log)
    return result


def wait(stage: Stage, log: Path, deadline: float) -> int:
    """Run the command to its end, and show what it writes if that is wanted."""
    with log.open("wb") as output, log.open("rb") as shown, started(stage, output) as process:
        while process.poll() is None:
            if time.monotonic() > deadline:
                raise TimeoutError
            time.sleep(0.1)
            show(stage, shown)
        show(stage, shown)
        return process.returncode


@contextlib.contextmanager
def started(stage: Stage, output: BinaryIO) -> Iterator[subprocess.Popen[bytes]]:
    """Start the command; end its process group if it is still there afterwards."""
    # A group, not a session: with the terminal it keeps what sudo remembers of this terminal's user.
    process = subprocess.Popen(
        stage.command,
        cwd=cache.REPOSITORY,
        env=stage.env,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        preexec_fn=os.setpgrp,  # this program has one thread
    )
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Interrupt the group as Ctrl-C does, so that tests can remove their hosts; kill what remains."""
    if process.poll() is None:
        signal_group(process.pid, signal.SIGINT)
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(SECONDS_TO_CLEAN_UP)
    finally:  # a second Ctrl-C comes while the first is waited for
        signal_group(process.pid, signal.SIGKILL)
        process.wait()


def signal_group(group: int, number: signal.Signals) -> None:
    """Send a signal to a group, which may be gone."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def show(stage: Stage, log: BinaryIO) -> None:
    """Pass on what has been written since the last time."""
    text = log.read()
    if stage.live and text:
        sys.stderr.buffer.write(text)
        sys.stderr.flush()


def report(stage: Stage, result: Result, log: Path) -> None:
    """Say how it ended; what failed quietly shows its last lines."""
    if result.state == FAILED and not stage.live:
        lines = log.read_text(errors="replace").splitlines()
        tell("\n".join(lines[-LINES_OF_A_FAILURE:]))
    why = f" ({result.why}; log {log})" if result.why else ""
    tell(f"=== {stage.name}: {result.state}, {result.seconds:.1f} s{why}")
