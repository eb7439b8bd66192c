"""A wait that says what it waits for; the module's answers are given, the clock is moved by hand."""

from __future__ import annotations

import signal
import time
from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.plugin_utils import _repeat
from ansible_collections.raspi.kafka.plugins.plugin_utils._repeat import RepeatingAction, heard, line


class Waiting(RepeatingAction):
    """Gives one answer after the other, 15 s each."""

    def __init__(self, answers: list[dict[str, Any]], clock: list[float]) -> None:
        self.answers, self.clock, self.asked = answers, clock, []

    def once(self, more: dict[str, Any], _variables: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(more)
        self.clock[0] += 15
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(_repeat.ActionBase, "run", lambda *_arguments: {})
    monkeypatch.setattr(_repeat.Display, "display", lambda _self, text: lines.append(text))
    return lines


def wait(monkeypatch: pytest.MonkeyPatch, answers: list[dict[str, Any]]) -> tuple[dict[str, Any], Waiting]:
    clock = [0.0]
    monkeypatch.setattr(_repeat.time, "monotonic", lambda: clock[0])
    action = Waiting(answers, clock)
    return action.run(task_vars={"inventory_hostname": "pi1"}), action


BUSY = {"changed": True, "done": False, "waits_for": "apt is locked by dpkg", "limit": 60, "remedy": "Wait."}


def test_what_is_done_at_once_says_nothing(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    result, action = wait(monkeypatch, [{"done": True, "changed": False}])
    assert (result["done"], said, action.asked) == (True, [], [{}])


def test_every_slice_says_what_it_waits_for(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    result, action = wait(monkeypatch, [BUSY, BUSY, {"done": True, "changed": False}])
    assert said == [line("pi1", "apt is locked by dpkg", seconds, 60) for seconds in (15, 30)]
    assert said[0] == "pi1: apt is locked by dpkg; 15 s of at most 60 s"
    assert action.asked == [{}, {"again": True}, {"again": True}]
    assert result["changed"]


@pytest.mark.usefixtures("said")
def test_a_wait_for_other_hosts_alone_has_a_limit_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = {**BUSY, "limit": 600}
    idle = {**busy, "waits_for": "waiting for a quorum", "idle": True, "idle_limit": 30}
    result, action = wait(monkeypatch, [busy, busy, busy, idle])
    assert result["msg"] == "pi1: waiting for a quorum, and 75 s have passed. Wait."
    assert len(action.asked) == 5
    result, _action = wait(monkeypatch, [idle, busy, idle, busy, {"done": True, "changed": False}])
    assert result["done"]


def test_after_the_limit_it_fails_with_a_remedy(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    result, _action = wait(monkeypatch, [BUSY])
    assert result["failed"]
    assert result["msg"] == "pi1: apt is locked by dpkg, and 60 s have passed. Wait."
    assert len(said) == 3


# Nothing happens on this host until others have done their part.
IDLE = {**BUSY, "waits_for": "no controller leads", "idle": True, "idle_limit": 40, "limit": 3600}


def test_a_host_that_went_on_itself_is_waited_for_anew(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    answers = [IDLE, IDLE, {**IDLE, "idle": False}, IDLE, IDLE, {"done": True}]
    result, _action = wait(monkeypatch, answers)
    assert result["done"]
    assert len(said) == 5


def test_a_failure_ends_the_wait(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    result, _action = wait(monkeypatch, [{"failed": True, "msg": "no"}])
    assert (result["msg"], said) == ("no", [])


def test_a_long_call_is_heard_meanwhile(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    monkeypatch.setattr(_repeat, "SLICE_SECONDS", 0.01)
    far = iter(range(10_000))
    with heard("pi1", lambda: f"kafka.tgz, {next(far)} MB", 7200):
        deadline = time.monotonic() + 10
        while len(said) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert said[:2] == [line("pi1", f"kafka.tgz, {megabytes} MB", 0, 7200) for megabytes in (0, 1)]
    spoken = len(said)
    time.sleep(0.05)
    assert len(said) == spoken, "it still speaks"


def test_a_ctrl_c_is_not_for_the_thread_that_speaks(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    monkeypatch.setattr(_repeat, "SLICE_SECONDS", 0.01)
    blocked: list[set[int]] = []
    with heard("pi1", lambda: str(blocked.append(signal.pthread_sigmask(signal.SIG_BLOCK, []))), 7200):
        deadline = time.monotonic() + 10
        while not said and time.monotonic() < deadline:
            time.sleep(0.01)
        own = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert {signal.SIGINT, signal.SIGTERM} <= blocked[0]
    assert not {signal.SIGINT, signal.SIGTERM} & own
