"""When a clock is right, in the words of chrony and of the kernel."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

FILE = Path(__file__).parents[3] / "roles" / "pi_host" / "files" / "wait_clock.py"
SPEC = importlib.util.spec_from_file_location("wait_clock", FILE)
clock = importlib.util.module_from_spec(SPEC)
sys.modules["wait_clock"] = clock  # dataclasses look their module up
SPEC.loader.exec_module(clock)

# `chronyc -n -c tracking` of chrony 4.3.
FOLLOWS = "C6128FF2,198.18.143.242,9,1763865021.1,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,1.0,Normal\n"
ALONE = "00000000,,0,0.000000000,0.000000000,0.000000000,0.000000000,0.000,0.000,0.000,1.0,1.0,0.0,Not synchronised\n"
LEAP = FOLLOWS.replace("Normal", "Insert second")
# The same with `local stratum 8`, and one that is slewing an hour away.
ITSELF = FOLLOWS.replace("C6128FF2,198.18.143.242", "7F7F0101,127.127.1.1")
LATE = FOLLOWS.replace("1763865021.1,0.0", "1763865021.1,-3600.2")
NEARLY = FOLLOWS.replace("1763865021.1,0.0", "1763865021.1,-0.9")


@pytest.mark.parametrize(
    ("tracking", "right", "why"),
    [
        (FOLLOWS, True, "chrony follows 198.18.143.242"),
        (LEAP, True, "chrony follows 198.18.143.242"),
        (NEARLY, True, "chrony follows 198.18.143.242"),
        (ALONE, False, "no time source that answers"),
        (ITSELF, False, "chrony follows nobody but itself"),
        (LATE, False, "still has 3600 s to correct"),
    ],
)
def test_chrony_says_whom_it_follows_and_how_far_off_it_is(tracking: str, right: bool, why: str) -> None:
    found = clock.of_chrony(tracking)
    assert found.right == right
    assert why in found.why


@pytest.mark.parametrize(
    "program",
    [
        "#!/bin/sh\necho 506 Cannot talk to daemon; exit 1\n",
        "#!/bin/sh\n",
        f"#!/bin/sh\necho {ALONE[:20]}\n",
        f"#!/bin/sh\necho '{FOLLOWS.strip().replace('1.1,0.0', '1.1,x')}'\n",
        "#!/nonexistent\n",
    ],
    ids=["no daemon", "silent", "cut off", "no number", "does not start"],
)
def test_a_chrony_that_cannot_be_read_leaves_the_question_to_the_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    (tmp_path / "chronyc").write_text(program)
    (tmp_path / "chronyc").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert clock.ask() == clock.ask_kernel()


def test_a_chrony_that_hangs_leaves_the_question_to_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_words: object, **_more: object) -> None:
        raise subprocess.TimeoutExpired("chronyc", 30)

    monkeypatch.setattr(clock.shutil, "which", lambda name: name)
    monkeypatch.setattr(clock.subprocess, "run", hang)
    assert clock.ask() == clock.ask_kernel()


@pytest.mark.parametrize(
    ("state", "status", "right"),
    [(0, 0x2001, True), (5, 0x40, False), (0, 0x40, False), (5, 0x0, False), (-1, 0x0, False)],
)
def test_the_kernel_must_neither_report_an_error_nor_the_bit(state: int, status: int, right: bool) -> None:
    assert clock.of_kernel(state, status, services=True).right == right


def test_without_a_time_service_the_advice_is_to_install_one() -> None:
    assert "apt install systemd-timesyncd" in clock.of_kernel(5, 0x40, services=False).why
    assert "UDP port 123" in clock.of_kernel(5, 0x40, services=True).why


def test_a_step_of_the_clock_is_told_with_its_direction() -> None:
    assert clock.stepped(100.0, 100.4) == "it was right to a second all the time"
    assert "forward by 7200 s" in clock.stepped(100.0, 7300.0)
    assert "back by 50 s" in clock.stepped(100.0, 50.0)


def test_this_machine_is_asked_for_real() -> None:
    done = subprocess.run([sys.executable, FILE, "--now"], capture_output=True, text=True, timeout=60, check=True)
    said = json.loads(done.stdout)
    assert said.keys() == {"right", "why"}
    assert isinstance(said["right"], bool)
    assert said["why"]


def waited(monkeypatch: pytest.MonkeyPatch, states: list[bool], limit: float) -> list[str]:
    """Run a wait over these states; returns what systemd was told, with the times left out."""
    told: list[str] = []
    answers = iter([*states, True])
    monkeypatch.setattr(clock, "ask", lambda: clock.Clock(next(answers), "why"))
    monkeypatch.setattr(clock, "notify", told.append)
    monkeypatch.setattr(clock.time, "sleep", lambda _seconds: None)
    clock.wait(limit)
    return told


def test_a_right_clock_is_ready_at_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert waited(monkeypatch, [], 180) == ["READY=1\nSTATUS=the clock is right: why"]
    assert capsys.readouterr().out == "<6>the clock is right: why\n"


def test_a_late_clock_is_ready_only_when_it_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    told = waited(monkeypatch, [False, False], 180)
    assert [text.startswith("READY=1") for text in told] == [False, False, True]
    assert told[0] == "STATUS=the clock is not right yet, Kafka starts after 180 s all the same: why"


def test_after_the_limit_it_is_ready_with_one_alarm_and_watches_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = waited(monkeypatch, [False, False, False], 1e-9)
    assert [text.splitlines()[1][:12] for text in told] == ["STATUS=ALARM", "STATUS=the c"]
    said = capsys.readouterr().out.splitlines()
    assert [line[:3] for line in said] == ["<1>", "<5>"]
    assert "it was right to a second all the time" in said[1]


def test_who_does_not_wait_gets_no_alarm(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    told = waited(monkeypatch, [False, False, False], 0)
    assert told[0] == "READY=1\nSTATUS=Kafka did not wait for the clock: why"
    assert [line[:3] for line in capsys.readouterr().out.splitlines()] == ["<5>", "<5>"]
