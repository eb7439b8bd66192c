"""site.yml is cut off at each of its long steps on a bare Pi; the same command again goes on, and ends verified.

The moments are seen on the host by its processes and files, not guessed by time.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from tests.hosts import archive, cache, host
from tests.hosts.deployed import extra
from tests.hosts.host import as_root
from tests.hosts.play import clean_environment, inventory, playbook

SET = "interrupted"
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
    with host.fresh(SET) as (pi,):
        yield pi


def runs(pi: host.Host, pattern: str) -> Callable[[], bool]:
    """Whether a program runs on the host; the brackets keep pgrep from finding its own shell."""
    return lambda: as_root(pi, f"pgrep -f '[{pattern[0]}]{pattern[1:]}' || true") != ""


def there(pi: host.Host, path: str) -> Callable[[], bool]:
    return lambda: as_root(pi, f"ls -d {path} 2>/dev/null || true") != ""


def interrupted(
    moment: Callable[[], bool], cut: Callable[[subprocess.Popen[bytes]], None], log: Path, *arguments: str
) -> str:
    """Run site.yml as typed, cut it off at a moment, and return what it said."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", WITH_CTRL_C, "ansible-playbook", "site.yml", "-i", str(inventory(SET)), *arguments],
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


@pytest.fixture
def cut_ssh(bare: host.Host) -> Iterator[Callable[[subprocess.Popen[bytes]], None]]:
    """End the sessions of user pi, and let nobody in until the test is over, as a network that is gone does."""

    def cut(_process: subprocess.Popen[bytes]) -> None:
        as_root(bare, "systemctl stop ssh; pkill -KILL -u pi sshd || true")

    yield cut
    as_root(bare, "systemctl start ssh")


class Server(BaseHTTPRequestHandler):
    """Has the archive, and stops half-way in its first answer."""

    asked: ClassVar[list[str]] = []
    half = threading.Event()
    over = threading.Event()

    def do_HEAD(self) -> None:
        self.answer(0)

    def do_GET(self) -> None:
        content, wanted = archive.build().path.read_bytes(), self.headers.get("Range", "")
        self.asked.append(wanted)
        offset = int(wanted[6:-1]) if wanted else 0
        self.answer(offset)
        if len(self.asked) > 1:
            self.wfile.write(content[offset:])
            return
        self.wfile.write(content[: len(content) // 2])
        self.half.set()
        self.over.wait(SECONDS)

    def answer(self, offset: int) -> None:
        self.send_response(206 if offset else 200)
        self.send_header("Content-Length", str(archive.build().path.stat().st_size - offset))
        self.end_headers()

    def log_message(self, *_words: object) -> None:
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as http:
        threading.Thread(target=http.serve_forever, args=(0.1,), daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}/kafka.tgz"
        Server.over.set()
        http.shutdown()


@pytest.mark.usefixtures("bare")
def test_ctrl_c_while_the_archive_is_downloaded(address: str, tmp_path: Path) -> None:
    """The next run asks for the other half alone; it is ended there, since this cache is not the one of the others."""
    archives = tmp_path / "cache" / "archives"
    variables = extra(kraft_broker_archive=address, python_venv_cache=str(tmp_path / "cache"))
    interrupted(Server.half.is_set, ctrl_c, tmp_path / "log", *variables)
    (part,) = archives.glob("*.part")
    came = part.stat().st_size
    assert came > 0
    said = interrupted(lambda: bool(list(archives.glob("*.tgz"))), ctrl_c, tmp_path / "log", *variables)
    assert Server.asked == ["", f"bytes={came}-"]
    assert f"MB from {address}" in said


def test_apt_killed_half_way(bare: host.Host, tmp_path: Path) -> None:
    """dpkg dies with the connection, and leaves packages that are not configured: apt refuses everything then."""

    def cut(process: subprocess.Popen[bytes]) -> None:
        as_root(bare, "pkill -KILL dpkg; pkill -KILL -u pi sshd || true")
        ctrl_c(process)

    said = interrupted(runs(bare, "dpkg --status-fd"), cut, tmp_path / "log")
    assert "pi1 gets Kafka 4.1.1: " in said
    assert "goes on where it stopped" in said
    assert as_root(bare, "dpkg --audit") != ""


def test_ssh_cut_while_the_archive_is_pushed(
    bare: host.Host, cut_ssh: Callable[[subprocess.Popen[bytes]], None], tmp_path: Path
) -> None:
    said = interrupted(there(bare, "/opt/kafka/*.tgz.part"), cut_ssh, tmp_path / "log")
    assert "UNREACHABLE" in said
    part = int(as_root(bare, "stat -c %s /opt/kafka/*.tgz.part"))
    assert part > 0


def test_ctrl_c_while_the_disk_is_formatted(bare: host.Host, tmp_path: Path) -> None:
    part = int(as_root(bare, "stat -c %s /opt/kafka/*.tgz.part"))
    said = interrupted(runs(bare, "kafka.tools.StorageTool format"), ctrl_c, tmp_path / "log")
    size = archive.build().path.stat().st_size
    assert f"{part / 1e6:.0f} of {size / 1e6:.0f} MB are there already, the push goes on" in said


def test_ctrl_c_while_archives_of_classes_are_made(bare: host.Host, tmp_path: Path) -> None:
    """The throwaway broker lives on; the next run does not take it for somebody else's, and waits for its end."""
    interrupted(runs(bare, "kafka.Kafka /opt/kafka/cds/"), ctrl_c, tmp_path / "log")


def test_ctrl_c_while_the_broker_starts_for_the_first_time(bare: host.Host, tmp_path: Path) -> None:
    interrupted(runs(bare, "kafka.Kafka /etc/kafka/server.properties"), ctrl_c, tmp_path / "log")


def test_the_same_command_ends_verified_and_then_changes_nothing(bare: host.Host) -> None:
    run = playbook(SET)
    assert (run.code, run.count("pi1", "failed")) == (0, 0)
    assert "100 sent, 100 read from the beginning, 100 found on disk" in run.text
    assert as_root(bare, "ls /opt/kafka | grep -c tgz || true") == "0"
    again = playbook(SET)
    assert (again.code, again.count("pi1", "changed")) == (0, 0)
