"""From a bare Pi to a gateway and back: what is left is what was named."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.hosts import host
from tests.hosts.deployed import send, stored
from tests.hosts.host import as_root
from tests.hosts.play import Run, playbook
from tests.hosts.snapshot import snapshot

SET = "uninstalled"
SECOND = "/srv/more"
DIRECTORIES = ("-e", f"kraft_broker_log_dirs=/var/lib/kafka/data,{SECOND}/data")
# The listing names packages as kept; what they bring besides their own files is written by their scripts and by apt.
PACKAGES = (
    *("/var/lib/dpkg", "/var/lib/apt", "/var/cache", "/usr/lib", "/usr/share", "/usr/bin", "/usr/sbin"),
    *("/etc/alternatives", "/etc/ssl", "/etc/java-17-openjdk", "/etc/ld.so.cache", "/etc/ca-certificates"),
    *("/etc/.java", "/etc/fonts", "/usr/local/share/fonts"),
)
# Programs that add and remove users rewrite these, and keep the last state beside them.
USERS = ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/subuid", "/etc/subgid", "/etc/.pwd.lock")


@pytest.fixture(scope="module")
def deployed() -> Iterator[tuple[host.Host, dict[str, Any]]]:
    """Return a Pi that was deployed, and what it looked like before."""
    with host.fresh(SET) as (pi,):
        as_root(pi, f"mkdir {SECOND}")
        # The first contact leaves Ansible's scratch folder and a mark of sudo in the home of user pi.
        before = snapshot(pi.container)
        assert playbook(SET, *DIRECTORIES).code == 0
        yield pi, before


def uninstall(*arguments: str) -> Run:
    return playbook(SET, *DIRECTORIES, *arguments, book="playbooks/uninstall.yml")


def left(pi: host.Host, before: dict[str, Any]) -> list[str]:
    """Paths that came, went or have another content, without those of packages and of the login."""
    after = snapshot(pi.container)["files"]
    theirs = set(as_root(pi, "cat /var/lib/dpkg/info/*.list").splitlines())
    paths = [
        path for path in {*before["files"], *after} if content(before["files"].get(path)) != content(after.get(path))
    ]
    return sorted(path for path in paths if path not in theirs and not path.startswith((*PACKAGES, "/home/pi")))


def content(facts: dict[str, Any] | None) -> dict[str, Any]:
    """All but the time: a folder whose new file was removed again has another one."""
    return {key: value for key, value in (facts or {}).items() if key != "mtime"}


def test_without_a_confirmation_nothing_is_removed(deployed: tuple[host.Host, dict[str, Any]]) -> None:
    pi, _before = deployed
    send(pi, b"before it was removed")
    run = uninstall()
    assert run.code == 2
    assert "/opt/raspi-kafka" in run.text
    assert "nothing was changed" in run.text
    assert b"before it was removed" in stored(pi)
    assert uninstall("--check").count("pi1", "changed") == 1
    assert b"before it was removed" in stored(pi)


def test_records_are_kept_and_found_again(deployed: tuple[host.Host, dict[str, Any]]) -> None:
    pi, before = deployed
    run = uninstall("-e", "uninstall_confirmed=true")
    assert run.code == 0
    for named in (
        "/var/lib/kafka/data (records",
        f"{SECOND}/data (records",
        "package python3-venv",
        "/var/log/journal",
    ):
        assert named in run.text
    kept = left(pi, before)
    assert {path for path in kept if not path.startswith((*USERS, "/var/lib/kafka", f"{SECOND}/data"))} == {
        "/etc/kafka",
        "/etc/kafka/identity.json",
    }
    assert as_root(pi, "systemctl list-units --all --plain --no-legend '*kafka*'") == ""
    assert as_root(pi, "systemctl --failed --plain --no-legend") == ""
    assert uninstall("-e", "uninstall_confirmed=true").count("pi1", "changed") == 0
    again = playbook(SET, *DIRECTORIES)
    assert again.code == 0
    assert b"before it was removed" in stored(pi)


def test_told_so_it_removes_the_records_and_only_packages_are_left(
    deployed: tuple[host.Host, dict[str, Any]],
) -> None:
    pi, before = deployed
    assert uninstall("-e", "uninstall_confirmed=true", "-e", "uninstall_data=true").code == 0
    assert [path for path in left(pi, before) if not path.startswith(USERS)] == []
    assert "kafka" not in as_root(pi, "cat /etc/passwd /etc/group")
    assert as_root(pi, f"ls -A {SECOND}") == ""


def test_where_nothing_is_left_it_neither_asks_nor_fails() -> None:
    run = uninstall()
    assert (run.code, run.count("pi1", "changed")) == (0, 0)
    assert "pi1: nothing of this collection is there" in run.text
