"""A play that is killed, with all that it has started here."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from . import cache
from .play import clean_environment, inventory

SECONDS = 420
CALLBACKS = Path(__file__).parent / "callbacks"


@contextlib.contextmanager
def running(
    name: str, log: Path, *arguments: str, book: str = "site.yml", **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a playbook as typed against the hosts NAME, and kill it in the end."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["ansible-playbook", book, "-i", str(inventory(name)), *arguments],
            cwd=cache.REPOSITORY,
            env={**clean_environment(), **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            # Workers of Ansible have sessions of their own, and would go on with the task that they are at.
            for each in (*below(process.pid), process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(each, signal.SIGKILL)
            process.wait()


def below(pid: int) -> list[int]:
    """All processes that a process has started, and those that these have."""
    with contextlib.suppress(FileNotFoundError):
        lists = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
        children = [int(each) for text in lists for each in text.split()]
        return children + [each for child in children for each in below(child)]
    return []


def killed_after(name: str, log: Path, done: str, *arguments: str, book: str = "site.yml") -> None:
    """Kill a run as soon as a task has changed a host, before Ansible goes on; `done` is TASK|HOST."""
    enabled = {"ANSIBLE_CALLBACK_PLUGINS": str(CALLBACKS), "ANSIBLE_CALLBACKS_ENABLED": "killed_after"}
    with running(name, log, *arguments, book=book, **enabled, KILLED_AFTER=done) as process:
        assert process.wait(SECONDS) == -signal.SIGKILL, log.read_text()[-3000:]
    assert f"killed after {done}" in log.read_text()
