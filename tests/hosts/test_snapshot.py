"""Every kind of change on a host is seen, one at a time, and no change is seen where there is none."""

import pytest

from tests.hosts import engine
from tests.hosts.snapshot import difference, snapshot

DATA = "/var/lib/kafka/data"
# change -> what must be said of it
SEEN = {
    "echo other > /srv/s/file; touch -d @1000 /srv/s/file": "/srv/s/file: sha256",
    "chmod 0600 /srv/s/file": "/srv/s/file: mode 0644 -> 0600",
    "chown pi /srv/s/file": "/srv/s/file: uid 0 -> 1000",
    "chgrp pi /srv/s/file": "/srv/s/file: gid 0 -> 1000",
    "touch /srv/s/file": "/srv/s/file: mtime 1000000000000 ->",
    "ln -sfn elsewhere /srv/s/link": "target file -> elsewhere",
    "touch /srv/s/new": "files: + /srv/s/new",
    "rm /srv/s/file": "files: - /srv/s/file",
    "rm /srv/s/file; mkdir /srv/s/file": "/srv/s/file: mode 0644 -> 0755",
    "touch /srv/s/short; rm /srv/s/short": "/srv/s: mtime",
    f"echo other > {DATA}/meta.properties": f"{DATA}/meta.properties: mtime",
    f"rm {DATA}/__cluster_metadata-0/bootstrap.checkpoint": f"files: - {DATA}/__cluster_metadata-0/bootstrap",
    "systemctl restart ssh": "services: ssh.service: ExecMainStartTimestampMonotonic",
    "systemctl stop ssh": "ssh.service: MainPID",
    "kill -9 $(systemctl show -P MainPID systemd-journald); sleep 1": "systemd-journald.service: ",
}
UNSEEN = [
    "touch /tmp/x /run/x /var/log/x",
    f"touch {DATA}/telemetry-0/00000000000000000000.log",
    "systemctl show no-such.service",
    "cat /srv/s/file",
]


def inside(pi: str, command: str) -> None:
    """Change something by hand."""
    engine.docker("exec", pi, "sh", "-ec", command, what=f"cannot run {command}")


@pytest.fixture
def ground(pi: str) -> str:
    """Lay out what the changes are made to."""
    inside(pi, "rm -rf /srv/s; mkdir /srv/s; echo one > /srv/s/file; ln -s file /srv/s/link; systemctl start ssh")
    inside(
        pi, f"rm -rf {DATA}; mkdir -p {DATA}/__cluster_metadata-0 {DATA}/telemetry-0; echo a > {DATA}/meta.properties"
    )
    inside(pi, f"touch {DATA}/__cluster_metadata-0/bootstrap.checkpoint; touch -d @1000 /srv/s/file")
    return pi


@pytest.mark.parametrize("change", SEEN)
def test_a_change_is_seen(ground: str, change: str) -> None:
    before = snapshot(ground)
    inside(ground, change)
    assert any(SEEN[change] in line for line in difference(before, snapshot(ground)))


@pytest.mark.parametrize("change", UNSEEN)
def test_what_is_no_change_is_not_seen(ground: str, change: str) -> None:
    before = snapshot(ground)
    inside(ground, change)
    assert difference(before, snapshot(ground)) == []


def test_a_caller_can_add_sections(ground: str) -> None:
    before = snapshot(ground, extra={"topics": {"telemetry": {"retention.ms": "1"}}})
    after = snapshot(ground, extra={"topics": {"telemetry": {"retention.ms": "2"}}})
    assert difference(before, after) == ["topics: telemetry: retention.ms 1 -> 2"]
