"""What a person sees: each step with its seconds, and failures of one sentence."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

# Exit code of a command that finds out that this machine cannot have what it is about; Automake's, for a skipped test.
CANNOT_BE_HAD = 77


class ImpossibleError(Exception):
    """Why this machine cannot have something: not a failure, but nothing was tried either."""


class Failure(Exception):  # it is read as "Failure: what, why, what to do"
    """What failed, why, and what to do about it."""

    def __init__(self, what: str, why: str, remedy: str) -> None:
        super().__init__(f"{what}: {why.strip().rstrip('.') or 'no reason given'}; {remedy}.")


def tell(text: str) -> None:
    """Progress goes to stderr, so that stdout is left to what a program may want to read."""
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def step(text: str) -> Iterator[None]:
    """Say what begins, and how long it took."""
    tell(f"{text} ...")
    began = time.monotonic()
    yield
    tell(f"{text}: {time.monotonic() - began:.1f} s")


def run(argv: list[str | Path], what: str, remedy: str, *, stdin: str | None = None, timeout: float = 900) -> str:
    """Run a command and return what it printed; its last error line is the reason if it fails."""
    try:
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=timeout, check=False)
    except FileNotFoundError as missing:
        raise Failure(what, f"{argv[0]} is not installed", remedy) from missing
    except subprocess.TimeoutExpired as late:
        raise Failure(what, f"{argv[0]} took more than {timeout:.0f} s", remedy) from late
    if done.returncode:
        raise Failure(what, last_line(done.stderr) or last_line(done.stdout) or f"exit {done.returncode}", remedy)
    return done.stdout


def last_line(text: str) -> str:
    """Return the last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
