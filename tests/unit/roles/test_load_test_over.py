"""What takes the users of simulated devices out of Mosquitto's password file, and how Mosquitto gets to know."""

from __future__ import annotations

import importlib.util
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

SCRIPT = Path(__file__).parents[3] / "roles" / "load_test" / "files" / "load_test_over.py"
_SPEC = importlib.util.spec_from_file_location("load_test_over", SCRIPT)
load_test_over = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(load_test_over)
OTHERS = "raspi-kafka-bridge:$7$101$a$b\n# kitchen\nkitchen:$7$101$c$d\n"
SIMULATED = "sim-00001:$7$101$e$f\nsim-20000:$7$101$g$h\n"
# It notes what it was asked for, and refuses what its environment names.
SYSTEMCTL = """\
#!/bin/sh
echo "$@" >> "$0.asked"
case " $REFUSED " in *" $1 "*) exit 1 ;; esac
"""


class Host(NamedTuple):
    """A password file, and a systemctl."""

    passwords: Path
    systemctl: Path

    def asked(self) -> list[str]:
        """What systemctl was asked for."""
        path = Path(f"{self.systemctl}.asked")
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    systemctl = tmp_path / "bin" / "systemctl"
    systemctl.parent.mkdir()
    systemctl.write_text(SYSTEMCTL)
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{systemctl.parent}:{os.environ['PATH']}")
    passwords = tmp_path / "etc" / "passwords"
    passwords.parent.mkdir()
    passwords.write_text(OTHERS + SIMULATED)
    passwords.chmod(0o600)
    return Host(passwords, systemctl)


@pytest.mark.parametrize(
    "text", ["", OTHERS, "sim-0001:x\n", "sim-000001:x\n", "a-sim-00001:x\n", "sim-00001-hall:x\n", "#sim-00001:x\n"]
)
def test_who_is_not_simulated_stays(text: str) -> None:
    assert load_test_over.others(text) == text


def test_simulated_devices_go_wherever_they_stand() -> None:
    first, second = SIMULATED.splitlines(keepends=True)
    assert load_test_over.others(first + OTHERS + second.rstrip("\n")) == OTHERS


def test_mosquitto_reads_the_file_without_them(host: Host) -> None:
    load_test_over.take_out(str(host.passwords))
    assert host.passwords.read_text() == OTHERS
    assert host.asked() == ["reload mosquitto.service"]
    assert [path.name for path in host.passwords.parent.iterdir()] == ["passwords"]


def test_the_host_runs_it_by_itself(host: Host) -> None:
    subprocess.run([sys.executable, "-I", SCRIPT, host.passwords], check=True)
    assert host.passwords.read_text() == OTHERS


def test_a_reload_that_is_refused_becomes_a_restart_of_what_runs(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFUSED", "reload")
    load_test_over.take_out(str(host.passwords))
    assert host.asked() == ["reload mosquitto.service", "try-restart mosquitto.service"]


def test_a_restart_that_fails_is_a_failure(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFUSED", "reload try-restart")
    with pytest.raises(subprocess.CalledProcessError):
        load_test_over.take_out(str(host.passwords))
    assert host.passwords.read_text() == OTHERS


def failed(path: Path) -> str:
    """What the host says of a run that fails."""
    run = subprocess.run([sys.executable, "-I", SCRIPT, path], check=False, capture_output=True, text=True)
    assert run.returncode == 1
    return run.stderr


def test_it_says_in_a_sentence_that_mosquitto_still_lets_them_in(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFUSED", "reload try-restart")
    assert failed(host.passwords) == (
        f"The users of simulated devices are out of {host.passwords}, but Mosquitto neither reloads nor restarts, and "
        "may let them in until it does. See why with: journalctl --unit mosquitto\n"
    )


def test_it_says_in_a_sentence_that_there_is_no_such_file(tmp_path: Path) -> None:
    path = tmp_path / "passwords"
    said = f"Cannot take the users of simulated devices out of {path}: No such file or directory. "
    assert failed(path) == f"{said}Run the load test again.\n"


@pytest.mark.parametrize("mode", [0o600, 0o640])
def test_owner_and_mode_stay(host: Host, monkeypatch: pytest.MonkeyPatch, mode: int) -> None:
    owners = []
    host.passwords.chmod(mode)
    before = host.passwords.stat()
    monkeypatch.setattr(load_test_over.os, "fchown", lambda _file, user, group: owners.append((user, group)))
    load_test_over.take_out(str(host.passwords))
    assert stat.S_IMODE(host.passwords.stat().st_mode) == mode
    assert owners == [(before.st_uid, before.st_gid)]


def test_where_there_are_none_nothing_is_done(host: Host) -> None:
    host.passwords.write_text(OTHERS)
    before = host.passwords.stat()
    load_test_over.take_out(str(host.passwords))
    assert host.asked() == []
    assert host.passwords.stat() == before


def test_a_file_that_cannot_be_replaced_is_as_it_was(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(load_test_over.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        load_test_over.take_out(str(host.passwords))
    assert host.passwords.read_text() == OTHERS + SIMULATED
    assert host.asked() == []
