"""Locks as apt and dpkg take them, held by a real process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.raspi.kafka.plugins.modules.apt_packages import holder, wait, waits_for

HOLD = (
    "import fcntl, sys; file = open(sys.argv[1], 'w'); fcntl.lockf(file, fcntl.LOCK_EX); print(1, flush=True); input()"
)


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    path = tmp_path / "lock-frontend"
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        yield str(path), process
        process.stdin.close()


def test_the_holder_of_a_lock_is_named(lock: tuple[str, subprocess.Popen[bytes]]) -> None:
    path, process = lock
    assert holder(path) == process.pid
    text = waits_for(["/nowhere/lock", path])
    assert text.startswith("apt is locked by python")
    assert f"(process {process.pid})" in text


def test_a_lock_that_is_free_or_not_there_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    assert wait((str(tmp_path / "lock"), str(tmp_path / "none")), 30) == ""


def test_a_slice_of_waiting_ends_with_what_is_waited_for(lock: tuple[str, subprocess.Popen[bytes]]) -> None:
    assert "apt is locked" in wait((lock[0],), 0)
