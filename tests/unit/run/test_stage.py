"""A stage ends in time, takes its processes with it, and what it lacked is said."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.hosts import engine
from tests.run import stage
from tests.run.__main__ import run_all, summary, table
from tests.run.stage import FAILED, PASSED, SKIPPED, Result, Stage

SHELL = ["sh", "-c"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep logs out of the real cache."""
    monkeypatch.setenv("RASPI_KAFKA_CACHE", str(tmp_path))


def made(name: str, script: str, limit: int = 20, **more: object) -> Stage:
    return Stage(name, [*SHELL, script], limit, env=dict(os.environ), **more)


def ends(pid: int) -> bool:
    """Tell whether a process ends soon; a killed one takes a moment."""
    deadline = time.monotonic() + 5
    while engine.process_name(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not engine.process_name(pid)


def test_exit_0_passes_and_its_output_is_kept(tmp_path: Path) -> None:
    assert stage.run(made("a/b c", "echo said")).state == PASSED
    assert (tmp_path / "logs" / "a-b-c.log").read_text() == "said\n"


def test_what_this_machine_cannot_run_is_skipped_with_the_reason() -> None:
    result = stage.run(made("qemu", "echo begin; echo no binfmt_misc here; exit 77", finds_out=True))
    assert (result.state, result.why) == (SKIPPED, "no binfmt_misc here")
    assert stage.run(made("other", "exit 77")).state == FAILED


def test_a_failure_shows_its_last_lines(capfd: pytest.CaptureFixture[str]) -> None:
    result = stage.run(made("bad", "seq 1000; exit 3"))
    assert (result.state, result.why) == (FAILED, "exit 3")
    shown = capfd.readouterr().err.split()
    assert "1000" in shown
    assert "900" not in shown


def test_live_output_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    stage.run(made("good", "echo said", live=True))
    assert "said" in capfd.readouterr().err.splitlines()


@pytest.mark.parametrize("prepare", ["", "trap '' INT;"], ids=["obedient", "stubborn"])
def test_a_limit_ends_all_that_was_started_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prepare: str
) -> None:
    monkeypatch.setattr(stage, "SECONDS_TO_CLEAN_UP", 1)
    bystander = subprocess.Popen(["sleep", "60"])
    result = stage.run(made("slow", f"{prepare} sleep 60 & echo $! > {tmp_path}/pid; sleep 61", limit=1))
    assert (result.state, result.why) == (FAILED, "took more than 1 s")
    assert result.seconds < 10
    assert ends(int((tmp_path / "pid").read_text()))
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def test_a_program_that_is_absent_fails_alone() -> None:
    assert stage.run(Stage("none", ["no-such-program"], 5, env={})).why == "no-such-program is not installed"


def test_what_needs_a_failed_stage_is_skipped_with_the_reason() -> None:
    stages = [made("a", "exit 1"), made("b", "true", needs=("a",)), made("c", "true"), made("d", "true", absent="no d")]
    results = run_all(stages, keep_engine=True)
    assert [result.state for result in results] == [FAILED, SKIPPED, PASSED, SKIPPED]
    assert [result.why for result in results] == ["exit 1", "needs a", "", "no d"]
    assert summary(results) == "1 passed, 1 failed, 2 skipped"
    assert "needs a" in table(results, 1)


def test_an_interruption_ends_the_stage_and_skips_the_rest() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    try:
        threading.Timer(1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        results = run_all([made("slow", "sleep 60"), made("next", "true")], keep_engine=True)
    finally:
        signal.signal(signal.SIGINT, before)
    assert [(result.state, result.why) for result in results] == [(FAILED, "interrupted"), (SKIPPED, "interrupted")]


def test_nothing_skipped_is_not_counted() -> None:
    assert summary([Result("a", PASSED)]) == "1 passed, 0 failed"


def test_an_unknown_target_is_refused() -> None:
    command = [sys.executable, "-m", "tests.run", "nonsense"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3])
    assert done.returncode == 1
    assert "usage:" in done.stderr
