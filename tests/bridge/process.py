"""A process of a test: its log, and each way to end it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

SECONDS_TO_END = 30
Started = TypeVar("Started", bound="Process")


class Process:
    """Can be started again after its end; all of its lives write to one log."""

    def __init__(self, command: Sequence[str | Path], log: Path, env: Mapping[str, str] | None = None) -> None:
        self.command = command
        self.log = log
        self._env = {**os.environ, **(env or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process, "it was not started"
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        assert not self.running
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                self.command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=self._env
            )

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.ended()

    def stop(self) -> int:
        """End it in good order; return its exit code."""
        self.signal(signal.SIGTERM)
        return self.ended()

    def signal(self, number: int) -> None:
        assert self.running, self.tail()
        os.kill(self.pid, number)

    def ended(self, timeout: float = SECONDS_TO_END) -> int:
        """Wait for its end; return its exit code."""
        assert self._process
        return self._process.wait(timeout)

    def clean_up(self) -> None:
        if self.running:
            self.kill()

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-4000:] if self.log.exists() else ""


@contextmanager
def running(process: Started) -> Iterator[Started]:
    """Start it, and end it at the end."""
    try:
        process.start()
        yield process
    finally:
        process.clean_up()


def until(what: str, holds: Callable[[], object], timeout: float = 60, pause: float = 0.05) -> None:
    """Wait for a condition; the deadline is far above what any machine needs."""
    end = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < end, f"not within {timeout:.0f} s: {what}"
        time.sleep(pause)
