"""What systemd says of a unit, and what follows from it."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.modules import unit_started
from ansible_collections.raspi.kafka.plugins.modules.unit_started import (
    StartError,
    Unit,
    judge,
    parse,
    plan,
    systemctl,
    wait,
    waits_for,
)

from tests.module_args import patch_module_args

SHOWN = """\
InvocationID=5c11bd2c6c2f4c5b8a5d3b3e1f0f9a77
StatusText=the port is open, the broker loads its log and metadata
Result=success
ActiveState=activating
SubState=start-post
UnitFileState=enabled
NeedDaemonReload=no
"""


def unit(active: str = "active", sub: str = "running", **more: object) -> Unit:
    facts = {"result": "success", "status": "", "file_state": "enabled", "stale": False, "invocation": "a", **more}
    return Unit(active, sub, **facts)


def test_systemctl_show_is_read() -> None:
    found = parse(SHOWN)
    assert (found.active, found.sub, found.file_state, found.stale) == ("activating", "start-post", "enabled", False)
    assert found.invocation.startswith("5c11")
    assert waits_for("kafka.service", found).startswith("kafka.service starts: the port is open")


@pytest.mark.parametrize(
    ("found", "restarted", "commands"),
    [
        (unit(), False, []),
        (unit(), True, ["restart"]),
        (unit("inactive", "dead"), False, ["start"]),
        (unit("failed", "failed"), False, ["start"]),
        (unit("activating", "start-post"), False, []),
        (unit("activating", "start-post"), True, []),
        (unit("activating", "auto-restart"), False, ["restart"]),
        (unit("activating", "start-pre", status="held back for 40 s"), False, ["restart"]),
        (unit("inactive", "dead", file_state="disabled"), False, ["enable", "start"]),
        (unit(stale=True), False, ["daemon-reload"]),
    ],
)
def test_the_commands_that_lead_to_a_start(found: Unit, restarted: bool, commands: list[str]) -> None:
    assert [words[0] for words in plan(found, restarted, reload=False)] == commands


def test_files_that_were_written_are_loaded_first() -> None:
    assert plan(unit("inactive", "dead"), restarted=False, reload=True) == [["daemon-reload"], ["start", "--no-block"]]


def test_an_active_unit_has_started_and_one_under_way_has_not() -> None:
    assert judge("kafka.service", unit())
    assert not judge("kafka.service", unit("activating", "start"))
    assert not judge("kafka.service", unit("deactivating", "stop-sigterm", status="held back for 10 s"))


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (unit("failed", "failed", result="exit-code"), "kafka.service did not start: failed, exit-code"),
        (unit("activating", "auto-restart", result="timeout"), "did not start: activating, timeout"),
        (unit("activating", "start-pre", status="held back until 64 MiB are free"), "held back until 64 MiB are free"),
    ],
)
def test_a_failed_attempt_is_an_error_even_if_systemd_will_try_again(found: Unit, text: str) -> None:
    with pytest.raises(StartError, match=text):
        judge("kafka.service", found)


def test_the_state_of_the_run_that_ends_is_not_taken_for_the_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = [unit(invocation="old"), unit("failed", "failed", invocation="old"), unit(invocation="new")]
    monkeypatch.setattr(unit_started, "show", lambda _module: shown.pop(0))
    monkeypatch.setattr(unit_started.time, "sleep", lambda _seconds: None)
    assert wait(SimpleNamespace(params={"name": "kafka.service"}), "old").invocation == "new"


def test_a_systemctl_that_fails_is_a_sentence() -> None:
    module = SimpleNamespace(run_command=lambda _command: (1, "", "Unit kafka.service not found.\n"))
    with pytest.raises(StartError, match=r"^systemctl enable kafka.service failed: Unit kafka.service not found.$"):
        systemctl(module, "enable", "kafka.service")


class Systemd:
    """A systemd in the place of this machine's, whose unit starts and is never seen to have started."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.capsys = capsys
        self.commands: list[list[str]] = []
        self.shown = SHOWN.replace("activating", "inactive").replace("start-post", "dead")
        monkeypatch.setattr(unit_started.AnsibleModule, "run_command", self.systemctl)
        monkeypatch.setattr(unit_started, "_SLICE_SECONDS", 0)

    def systemctl(self, command: list[str]) -> tuple[int, str, str]:
        if command[1] != "show":
            self.commands.append(command[1:])
            self.shown = SHOWN
        return 0, self.shown, ""

    def run(self, **options: Any) -> dict[str, Any]:
        with patch_module_args({"name": "kafka.service", "limit": 60, **options}), pytest.raises(SystemExit):
            unit_started.main()
        return json.loads(self.capsys.readouterr().out)


@pytest.fixture
def systemd(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Systemd:
    return Systemd(capsys, monkeypatch)


START = [["start", "--no-block", "kafka.service"]]


def test_a_start_is_waited_for_until_it_has_ended(systemd: Systemd) -> None:
    result = systemd.run()
    assert (result["changed"], result["done"], result["active"]) == (True, False, False)
    assert "the port is open" in result["waits_for"]
    assert systemd.commands == START
    assert not systemd.run(again=True)["done"]
    assert systemd.commands == START


@pytest.mark.parametrize(
    ("options", "idle"),
    [({}, False), ({"idle_status": "waiting for a quorum"}, False), ({"idle_status": "the port is open"}, True)],
)
def test_a_unit_that_waits_for_others_says_so_by_its_status(
    systemd: Systemd, options: dict[str, str], idle: bool
) -> None:
    assert systemd.run(**options)["idle"] is idle


def test_how_long_it_may_wait_for_others_is_passed_on(systemd: Systemd) -> None:
    assert systemd.run(idle_limit=7)["idle_limit"] == 7


def test_a_start_that_others_must_go_with_is_not_waited_for(systemd: Systemd) -> None:
    """Controllers that wait for each other must not wait for a free fork of Ansible."""
    result = systemd.run(wait=False)
    assert (result["changed"], result["done"], result["waits_for"]) == (True, True, "")
    assert systemd.commands == START
    again = systemd.run(wait=False)
    assert (again["changed"], again["done"]) == (False, True)
    assert systemd.commands == START


def test_a_dry_run_tells_whether_it_runs_and_starts_nothing(systemd: Systemd) -> None:
    result = systemd.run(_ansible_check_mode=True)
    assert (result["changed"], result["done"], result["active"]) == (True, True, False)
    systemd.shown = SHOWN.replace("activating", "active").replace("start-post", "running")
    assert systemd.run(_ansible_check_mode=True)["active"]
    assert systemd.commands == []
