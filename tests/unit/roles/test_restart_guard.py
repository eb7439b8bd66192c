"""Why a broker ended, and how long the next start is held back."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

FILE = Path(__file__).parents[3] / "roles" / "kraft_broker" / "files" / "restart_guard.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("restart_guard", FILE)
    module = importlib.util.module_from_spec(spec)
    sys.modules["restart_guard"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


guard = load()
GOOD = guard.Room("/data", 9000, 29000, inodes=True, read_only=False)
FULL = guard.Room("/data", 0, 29000, inodes=True, read_only=False, ballast_mib=128)


@pytest.fixture(autouse=True)
def _run_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The directory of the test is /run/kafka."""
    monkeypatch.setattr(guard, "_NOTE", tmp_path / "failures.json")
    monkeypatch.setattr(guard, "_WITHOUT_CDS", tmp_path / "without-cds")


def ended(result: str, code: str = "", status: str = "") -> dict[str, str]:
    return {"SERVICE_RESULT": result, "EXIT_CODE": code, "EXIT_STATUS": status}


def test_a_stop_that_somebody_wanted_has_no_reason() -> None:
    assert guard.why(ended("success", "exited", "143"), [FULL]) == ""


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (ended("oom-kill", "killed", "KILL"), "the kernel had no memory left"),
        (ended("exit-code", "exited", "3"), "its heap was full (OutOfMemoryError)"),
        (ended("timeout", "killed", "TERM"), "its start or stop made no progress"),
        (ended("exit-code", "exited", "1"), "exit code 1; the lines above"),
        (ended("exit-code", "exited", "143"), "it did not serve clients in time"),
        (ended("exit-code", "killed", "KILL"), "it did not serve clients in time"),
        (ended("signal", "killed", "KILL"), "signal KILL"),
        (ended("signal", "killed", "ABRT"), "its JVM crashed"),
        (ended("protocol"), "of protocol"),
    ],
)
def test_the_end_of_the_process_is_the_reason_where_the_disk_is_good(end: dict[str, str], reason: str) -> None:
    assert reason in guard.why(end, [GOOD])


def test_a_full_disk_is_said_beside_the_end_and_the_ballast_is_the_way_out() -> None:
    text = guard.why(ended("oom-kill", "killed", "KILL"), [GOOD, FULL])
    assert text.startswith("Kafka ended, and the file system of /data is full: ")
    assert text.endswith(
        " How it ended: the kernel had no memory left. Lower kraft_broker_heap_mb, or stop other programs."
    )
    assert "file system of /data is full: 0 of 29000 MiB are free" in text
    assert "once 64 MiB are free: `sudo rm /data/ballast` frees 128 MiB at once" in text


def test_without_ballast_something_else_has_to_go() -> None:
    bare = guard.Room("/data", 15, 29000, inodes=True, read_only=False)
    assert "delete other files" in guard.why(ended("exit-code", "exited", "1"), [bare])


def test_no_inodes_and_a_read_only_disk_are_told_apart() -> None:
    inodes = guard.Room("/data", 9000, 29000, inodes=False, read_only=False)
    assert "it has no inode left" in guard.why(ended("exit-code", "exited", "1"), [inodes])
    read_only = guard.Room("/data", 0, 29000, inodes=True, read_only=True)
    assert "is read-only. The kernel does that after errors" in guard.why(ended("signal", "killed", "BUS"), [read_only])


def test_the_delay_doubles_up_to_five_minutes() -> None:
    delays = [guard.delay(guard.Note(failures)) for failures in range(8)]
    assert delays == [0, 10, 20, 40, 80, 160, 300, 300]


def test_after_a_full_disk_the_first_return_is_quick_and_the_next_are_not() -> None:
    assert [guard.delay(guard.Note(failures, full=True)) for failures in range(4)] == [0, 0, 10, 20]


def test_failures_in_a_row_are_counted_and_a_long_run_begins_anew() -> None:
    note = guard.Note(failures=3, started=100.0)
    assert guard.after_failure(note, 130.0, full=False).failures == 4
    assert guard.after_failure(note, 800.0, full=False).failures == 1


def test_a_full_disk_needs_more_than_what_it_ended_with() -> None:
    some = guard.Room("/data", 63, 29000, inodes=True, read_only=False)
    assert guard.lacks_room([GOOD, some]) == [some]
    assert guard.lacks_room([GOOD]) == []


def test_what_a_real_directory_has_left(tmp_path: Path) -> None:
    with (tmp_path / "ballast").open("wb") as ballast:
        os.posix_fallocate(ballast.fileno(), 0, 3 << 20)
    room = guard.look(str(tmp_path))
    assert (room.ballast_mib, room.inodes, room.full) == (3, True, False)
    assert room.size_mib >= room.free_mib > 16
    assert guard.rooms([str(tmp_path), str(tmp_path / "gone")]) == [room]


def test_a_ballast_that_reserves_nothing_or_is_a_link_frees_nothing(tmp_path: Path) -> None:
    with (tmp_path / "ballast").open("wb") as ballast:
        ballast.truncate(3 << 20)
    assert guard.look(str(tmp_path)).ballast_mib == 0
    (tmp_path / "ballast").unlink()
    (tmp_path / "ballast").symlink_to(sys.executable)
    assert guard.look(str(tmp_path)).ballast_mib == 0


def test_a_failure_is_noted_and_a_stop_forgets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in ended("exit-code", "exited", "1").items():
        monkeypatch.setenv(name, value)
    guard.write_note(guard.Note(started=guard.time.monotonic()))
    guard.stopped([str(tmp_path)])
    guard.stopped([str(tmp_path)])
    assert json.loads((tmp_path / "failures.json").read_text())["failures"] == 2
    assert capsys.readouterr().out.startswith("<2>Kafka ended because")
    monkeypatch.setenv("SERVICE_RESULT", "success")
    guard.stopped([str(tmp_path)])
    assert not (tmp_path / "failures.json").exists()


def test_a_first_start_is_not_held_and_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard.time, "sleep", lambda _seconds: pytest.fail("it waited"))
    (tmp_path / "failures.json").write_text("{ half a note")
    (tmp_path / "without-cds").touch()
    guard.hold([str(tmp_path)])
    assert guard.read_note().started > 0
    assert not (tmp_path / "without-cds").exists()


@pytest.mark.parametrize(
    ("note", "without"), [(guard.Note(1), False), (guard.Note(2), True), (guard.Note(2, full=True), False)]
)
def test_after_failures_in_a_row_the_archive_of_classes_is_doubted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], note: Any, without: bool
) -> None:
    clock = [0.0]
    monkeypatch.setattr(guard.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(guard.time, "sleep", lambda seconds: clock.append(clock.pop() + seconds))
    guard.write_note(note)
    guard.hold([str(tmp_path)])
    assert clock[0] == guard.delay(note)
    assert (tmp_path / "without-cds").exists() == without
    assert ("starts without its archive of classes" in capsys.readouterr().out) == without


def test_a_full_disk_holds_until_there_is_space(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [FULL, FULL, GOOD]
    monkeypatch.setattr(guard, "rooms", lambda _dirs: [found.pop(0)])
    monkeypatch.setattr(guard.time, "sleep", lambda _seconds: None)
    guard.write_note(guard.Note(failures=1, full=True))
    guard.hold(["/data"])
    assert found == []
    assert capsys.readouterr().out.splitlines() == [
        "<4>The next start is held back until 64 MiB are free for /data; 0 MiB are",
        "<5>It is tried again",
    ]


def test_failures_hold_back_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(guard, "_NOTE", tmp_path / "failures.json")
    monkeypatch.setattr(guard.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(guard.time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    guard.write_note(guard.Note(failures=3))
    guard.hold([str(tmp_path)])
    assert clock == [1040.0]
    assert "held back for 40 s after failure 3 in a row" in capsys.readouterr().out
