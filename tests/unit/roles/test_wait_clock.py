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


@pytest.mark.parametrize(("tracking", "right"), [(FOLLOWS, True), (LEAP, True), (ALONE, False)])
def test_chrony_says_whether_it_follows_somebody(tracking: str, right: bool) -> None:
    found = clock.of_chrony(tracking)
    assert found.right == right
    assert ("198.18.143.242" if right else "no time source that answers") in found.why


@pytest.mark.parametrize(
    ("state", "status", "right"), [(0, 0x2001, True), (5, 0x40, False), (0, 0x40, False), (5, 0x0, False)]
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


def test_after_the_limit_it_is_ready_with_one_alarm_and_watches_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = waited(monkeypatch, [False, False, False], 0)
    assert told[0].startswith("READY=1\nSTATUS=ALARM")
    said = capsys.readouterr().out.splitlines()
    assert [line[:3] for line in said] == ["<1>", "<5>"]
    assert "it was right to a second all the time" in said[1]
