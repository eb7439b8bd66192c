"""When archives are made, and what is left when they cannot be. The real making is tested on a stand-in."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FILES = Path(__file__).parents[3] / "roles" / "kraft_broker" / "files"
GIB = 1 << 30


@pytest.fixture(scope="module")
def make_cds() -> Any:
    """The program; it finds wait_ready beside itself, as on a Pi."""
    sys.path.insert(0, str(FILES))
    spec = importlib.util.spec_from_file_location("make_cds", FILES / "make_cds.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.path.remove(str(FILES))
    return module


def meminfo(megabytes: int) -> str:
    return f"MemTotal:        3884000 kB\nMemFree:          100000 kB\nMemAvailable:   {megabytes * 1024} kB\n"


def archive(directory: Path, name: str, content: str = "classes", size: int | None = None) -> None:
    directory.mkdir(exist_ok=True)
    (directory / f"{name}.jsa.{len(content) if size is None else size}").write_text(content)


def test_both_archives_in_full_size_fit(make_cds: Any, tmp_path: Path) -> None:
    assert not make_cds.complete(tmp_path / "none")
    archive(tmp_path, "broker")
    assert not make_cds.complete(tmp_path)
    archive(tmp_path, "tools")
    assert make_cds.complete(tmp_path)


def test_an_archive_that_was_cut_short_does_not_fit(make_cds: Any, tmp_path: Path) -> None:
    archive(tmp_path, "broker")
    archive(tmp_path, "tools", "cla", size=7)
    assert not make_cds.complete(tmp_path)


def test_enough_memory_and_disk_are_not_refused(make_cds: Any) -> None:
    make_cds.refuse_scarcity(meminfo(800), GIB)


@pytest.mark.parametrize(
    ("megabytes", "free", "said"),
    [
        (300, GIB, "300 MiB of memory are available, 450 are needed"),
        (800, 100 << 20, "100 MiB are free below /opt/kafka, 300 are needed"),
    ],
)
def test_too_little_memory_or_disk_is_refused(make_cds: Any, megabytes: int, free: int, said: str) -> None:
    with pytest.raises(make_cds.CannotMakeError, match=said):
        make_cds.refuse_scarcity(meminfo(megabytes), free)


def test_free_ports_differ(make_cds: Any) -> None:
    assert len(set(make_cds.free_ports(5))) == 5


def test_a_jvm_that_fails_is_quoted_without_notes_on_classes(make_cds: Any, tmp_path: Path) -> None:
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\necho '[1.0s][warning][cds] Skipping a class'\necho Port is taken >&2\nexit 3\n")
    java.chmod(0o755)
    jvms = make_cds.Jvms(str(java), "libs", tmp_path, user=None)
    with jvms, pytest.raises(make_cds.CannotMakeError, match=r"^the format JVM ended with 3: Port is taken$"):
        jvms.finish("format", jvms.start("format", "kafka.tools.StorageTool"), 0)


def test_of_a_making_that_failed_nothing_stays(make_cds: Any, tmp_path: Path) -> None:
    with contextlib.suppress(RuntimeError), make_cds.alone(tmp_path / "cds"), make_cds.staging(tmp_path / "cds") as new:
        (new / "half").write_text("")
        raise RuntimeError
    assert list((tmp_path / "cds").iterdir()) == []


def test_no_jvm_outlives_the_program(make_cds: Any, tmp_path: Path) -> None:
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\nexec sleep 60\n")
    java.chmod(0o755)
    with make_cds.Jvms(str(java), "libs", tmp_path, user=None) as jvms:
        process = jvms.start("broker", "kafka.Kafka")
    assert process.returncode is not None


def test_what_a_killed_run_left_is_removed(make_cds: Any, tmp_path: Path) -> None:
    (tmp_path / ".new-killed").mkdir()
    with make_cds.staging(tmp_path) as new:
        assert [path for path in tmp_path.iterdir() if path != new] == []


def test_an_archive_is_copied_not_linked(make_cds: Any, tmp_path: Path) -> None:
    source = tmp_path / "broker.jsa"
    source.write_text("classes")
    (tmp_path / "new").mkdir()
    make_cds.adopt(source, tmp_path / "new")
    copy = tmp_path / "new" / "broker.jsa.7"
    assert copy.read_text() == "classes"
    assert copy.stat().st_ino != source.stat().st_ino
    assert copy.stat().st_mode & 0o777 == 0o644


def test_a_link_in_the_place_of_an_archive_is_refused(make_cds: Any, tmp_path: Path) -> None:
    (tmp_path / "broker.jsa").symlink_to("/etc/passwd")
    with pytest.raises(make_cds.CannotMakeError, match="without writing broker"):
        make_cds.adopt(tmp_path / "broker.jsa", tmp_path)


def test_a_pipe_in_the_place_of_an_archive_is_refused_at_once(make_cds: Any, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "broker.jsa")
    with pytest.raises(make_cds.CannotMakeError, match="is no file"):
        make_cds.adopt(tmp_path / "broker.jsa", tmp_path)


def test_a_second_run_waits_for_the_first(make_cds: Any, tmp_path: Path) -> None:
    order = []

    def second() -> None:
        with make_cds.alone(tmp_path / "cds"):
            order.append("second")

    with make_cds.alone(tmp_path / "cds"):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.3)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def test_no_jvm_outlives_a_program_that_is_killed(tmp_path: Path) -> None:
    """SIGKILL leaves it no time to end them."""
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\necho $$ > pid\nexec sleep 60\n")
    java.chmod(0o755)
    program = (
        "import pathlib, sys, time; sys.path.insert(0, sys.argv[1]); import make_cds\n"
        "with make_cds.Jvms(sys.argv[2], 'libs', pathlib.Path(sys.argv[3]), user=None) as jvms:\n"
        "    jvms.start('broker', 'kafka.Kafka'); time.sleep(60)"
    )
    pid = tmp_path / "own" / "pid"
    with subprocess.Popen([sys.executable, "-c", program, str(FILES), str(java), str(tmp_path)]) as process:
        await_true(lambda: pid.exists() and pid.read_text().strip() != "")
        process.kill()
    jvm = Path("/proc", pid.read_text().strip(), "stat")
    await_true(lambda: not jvm.exists() or jvm.read_text().rpartition(")")[2].split()[0] == "Z")


def test_a_second_signal_does_not_cut_the_cleaning_off(make_cds: Any) -> None:
    """timeout(1) sends two: one to the program, one to its group."""
    before = {number: signal.getsignal(number) for number in make_cds._ENDS}
    try:
        with pytest.raises(make_cds.CannotMakeError):
            make_cds.stop(signal.SIGTERM, None)
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def await_true(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
