"""site.yml is cut off at each of its long steps on a bare Pi; the same command again goes on, and ends verified.

The moments are seen on the host by its processes and files, not guessed by time.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.hosts import cache, engine, host
from tests.hosts.play import clean_environment, inventory, playbook

SET = "fieldbare"
SECONDS = 300
# What was started in the background ignores Ctrl-C, and its children do too.
WITH_CTRL_C = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture(scope="module")
def bare() -> Iterator[host.Host]:
    """Return a bare Pi of this module's own."""
    host.up(SET)
    yield host.find(SET)[0]
    host.down(SET)


def inside(pi: host.Host, command: str) -> str:
    return engine.docker("exec", pi.container, "sh", "-c", command, what=f"{command} failed")


def runs(pi: host.Host, pattern: str) -> Callable[[], bool]:
    """Whether a program runs on the host; the brackets keep pgrep from finding its own shell."""
    return lambda: inside(pi, f"pgrep -f '[{pattern[0]}]{pattern[1:]}' || true") != ""


def there(pi: host.Host, path: str) -> Callable[[], bool]:
    return lambda: inside(pi, f"ls -d {path} 2>/dev/null || true") != ""


def interrupted(moment: Callable[[], bool], cut: Callable[[subprocess.Popen[bytes]], None], log: Path) -> str:
    """Run site.yml as typed, cut it off at a moment, and return what it said."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", WITH_CTRL_C, "ansible-playbook", "site.yml", "-i", str(inventory(SET))],
            cwd=cache.REPOSITORY,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        deadline = time.monotonic() + SECONDS
        try:
            while not moment():
                assert process.poll() is None, f"the run ended before its moment came:\n{log.read_text()[-3000:]}"
                assert time.monotonic() < deadline, f"the moment did not come within {SECONDS} s"
                time.sleep(0.05)
            cut(process)
            assert process.wait(60) != 0
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    return log.read_text()


def ctrl_c(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGINT)


def cut_ssh(pi: host.Host) -> Callable[[subprocess.Popen[bytes]], None]:
    """End the sessions of user pi on the host, as a network that is gone does in the end."""

    def cut(_process: subprocess.Popen[bytes]) -> None:
        inside(pi, "pkill -KILL -u pi sshd; true")

    return cut


def test_apt_killed_half_way(bare: host.Host, tmp_path: Path) -> None:
    """dpkg dies with the connection, and leaves packages that are not configured: apt refuses everything then."""

    def cut(process: subprocess.Popen[bytes]) -> None:
        inside(bare, "pkill -KILL dpkg; pkill -KILL -u pi sshd; true")
        ctrl_c(process)

    said = interrupted(runs(bare, "dpkg --status-fd"), cut, tmp_path / "log")
    assert "pi1 gets Kafka 4.1.1: " in said
    assert "goes on where it stopped" in said
    assert inside(bare, "dpkg --audit") != ""


def test_ssh_cut_while_the_archive_is_pushed(bare: host.Host, tmp_path: Path) -> None:
    said = interrupted(there(bare, "/opt/kafka/*.tgz.part"), cut_ssh(bare), tmp_path / "log")
    assert "UNREACHABLE" in said or "fatal" in said
    part = int(inside(bare, "stat -c %s /opt/kafka/*.tgz.part"))
    assert part > 0


def test_ctrl_c_while_the_disk_is_formatted(bare: host.Host, tmp_path: Path) -> None:
    part = int(inside(bare, "stat -c %s /opt/kafka/*.tgz.part"))
    said = interrupted(runs(bare, "kafka.tools.StorageTool format"), ctrl_c, tmp_path / "log")
    assert part > 0
    assert "Push the archive" in said


def test_ctrl_c_while_the_broker_starts_for_the_first_time(bare: host.Host, tmp_path: Path) -> None:
    interrupted(runs(bare, "kafka.Kafka /etc/kafka/server.properties"), ctrl_c, tmp_path / "log")


def test_the_same_command_ends_verified_and_then_changes_nothing(bare: host.Host) -> None:
    run = playbook(SET)
    assert (run.code, run.count("pi1", "failed")) == (0, 0)
    assert "100 sent, 100 read from the beginning, 100 found on disk" in run.text
    assert inside(bare, "ls /opt/kafka | grep -c tgz || true").strip() == "0"
    again = playbook(SET)
    assert (again.code, again.count("pi1", "changed")) == (0, 0)
