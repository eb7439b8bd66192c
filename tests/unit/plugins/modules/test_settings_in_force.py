"""Numbers below a directory that stands for /proc/sys, files of sysctl.d, and a journald that may be too old."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.modules import settings_in_force
from ansible_collections.raspi.kafka.plugins.modules.settings_in_force import (
    apply,
    differing,
    in_force,
    is_stale,
    overruled,
    parse,
    read_later,
    run,
)


@pytest.fixture
def sysctls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "vm").mkdir()
    (tmp_path / "vm" / "swappiness").write_text("60\n")
    monkeypatch.setattr(settings_in_force, "_ROOT", tmp_path)
    return tmp_path


class Module:
    """What run() needs of AnsibleModule; records the commands. journald was started so many seconds after this boot."""

    def __init__(self, sysctls: dict[str, int], journald_file: Path, started: float = 0.0) -> None:
        self.params = {"sysctls": sysctls, "sysctl_file": "/etc/sysctl.d/60-x.conf", "journald_file": journald_file}
        self.check_mode = False
        self.started = started
        self.commands: list[list[str]] = []

    def run_command(self, command: list[str], check_rc: bool) -> tuple[int, str, str]:
        assert check_rc
        self.commands.append(command)
        return 0, f"{self.started * 1_000_000:.0f}\n", ""


def test_only_what_differs_is_set(sysctls: Path) -> None:
    found = in_force(["vm.swappiness", "vm.not_in_this_kernel"])
    assert found == {"vm.swappiness": 60}
    assert differing(found, {"vm.swappiness": 1, "vm.not_in_this_kernel": 2}) == {"vm.swappiness": 1}
    assert differing(found, {"vm.swappiness": 60}) == {}
    assert apply("vm.swappiness", 1)
    assert (sysctls / "vm" / "swappiness").read_text() == "1"


def test_what_the_kernel_refuses_or_does_not_have_is_no_failure(sysctls: Path) -> None:
    found: dict[str, Any] = run(Module({"vm.swappiness": 1, "vm.none": 2}, sysctls / "nowhere"))
    assert (found["changed"], found["not_applied"]) == (True, {"vm.none": "missing"})
    (sysctls / "vm" / "swappiness").unlink()
    (sysctls / "vm" / "swappiness").mkdir()
    assert not apply("vm.swappiness", 1)


def test_sysctl_files_are_read_as_the_kernel_gets_them() -> None:
    text = "# vm.swappiness = 5\n; x = 1\nvm.swappiness=10\n-vm/dirty_bytes = 7\n\nnonsense\n"
    assert parse(text) == {"vm.swappiness": "10", "vm.dirty_bytes": "7"}


def test_a_later_file_that_says_otherwise_is_named(tmp_path: Path) -> None:
    etc, usr = tmp_path / "etc", tmp_path / "usr"
    for path, text in {
        etc / "10-early.conf": "vm.swappiness = 90\n",
        etc / "60-ours.conf": "vm.swappiness = 1\nvm.dirty_bytes = 7\n",
        etc / "70-same.conf": "vm.swappiness = 30\nvm.dirty_bytes = 7\n",
        usr / "70-same.conf": "vm.dirty_bytes = 8\n",
        usr / "99-late.conf": "vm.swappiness = 10\n",
        etc / "README": "vm.swappiness = 2\n",
    }.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    (etc / "99-sysctl.conf").symlink_to("../nowhere.conf")
    later = read_later("/etc/sysctl.d/60-ours.conf", [str(etc), str(usr), "/nowhere"])
    assert [file.name for file in later] == ["70-same.conf", "99-late.conf", "99-sysctl.conf"]
    wanted = {"vm.swappiness": 1, "vm.dirty_bytes": 7}
    assert overruled(wanted, later) == {"vm.swappiness": f"10 in {usr / '99-late.conf'}"}
    (usr / "99-late.conf").write_text("vm.swappiness = 1\n")
    assert overruled(wanted, later) == {}


def test_what_a_later_file_overrules_is_told(sysctls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (sysctls / "99-late.conf").write_text("vm.swappiness = 10\n")
    monkeypatch.setattr(settings_in_force, "_FOLDERS", (str(sysctls),))
    found = run(Module({"vm.swappiness": 1}, sysctls / "nowhere"))
    assert found["overruled"] == {"vm.swappiness": f"10 in {sysctls / '99-late.conf'}"}


@pytest.mark.parametrize(
    ("written", "started", "stale"), [(100, 90, True), (100, 110, False), (100, 100, False), (300, 90, False)]
)
def test_a_program_is_stale_that_was_started_before_its_file(written: float, started: float, stale: bool) -> None:
    assert is_stale(written, started, now=200) == stale


def test_journald_is_restarted_until_it_is_newer_than_its_file(sysctls: Path) -> None:
    file = sysctls / "journald.conf"
    file.write_text("[Journal]\n")
    os.utime(file, (time.time() - 10, time.time() - 10))
    old = Module({"vm.swappiness": 60}, file, started=time.monotonic() - 20)
    assert run(old)["changed"]
    assert old.commands[1:] == [["systemctl", "restart", "systemd-journald.service", "systemd-journal-flush.service"]]
    new = Module({"vm.swappiness": 60}, file, started=time.monotonic() - 5)
    assert not run(new)["changed"]
    assert len(new.commands) == 1
    dry = Module({"vm.swappiness": 60}, file, started=time.monotonic() - 20)
    dry.check_mode = True
    assert run(dry)["changed"]
    assert len(dry.commands) == 1
