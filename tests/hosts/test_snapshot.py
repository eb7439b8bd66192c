"""Every kind of change on a host is seen, one at a time, and no change is seen where there is none."""

import pytest

from tests.hosts import host
from tests.hosts.host import as_root
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


@pytest.fixture
def ground(pi: host.Host) -> host.Host:
    """Lay out what the changes are made to."""
    as_root(pi, "rm -rf /srv/s; mkdir /srv/s; echo one > /srv/s/file; ln -s file /srv/s/link; systemctl start ssh")
    as_root(
        pi, f"rm -rf {DATA}; mkdir -p {DATA}/__cluster_metadata-0 {DATA}/telemetry-0; echo a > {DATA}/meta.properties"
    )
    as_root(pi, f"touch {DATA}/__cluster_metadata-0/bootstrap.checkpoint; touch -d @1000 /srv/s/file")
    return pi


@pytest.mark.parametrize("change", SEEN)
def test_a_change_is_seen(ground: host.Host, change: str) -> None:
    before = snapshot(ground.container)
    as_root(ground, change)
    assert any(SEEN[change] in line for line in difference(before, snapshot(ground.container)))


@pytest.mark.parametrize("change", UNSEEN)
def test_what_is_no_change_is_not_seen(ground: host.Host, change: str) -> None:
    before = snapshot(ground.container)
    as_root(ground, change)
    assert difference(before, snapshot(ground.container)) == []


def test_a_caller_can_add_sections(ground: host.Host) -> None:
    before = snapshot(ground.container, extra={"topics": {"telemetry": {"retention.ms": "1"}}})
    after = snapshot(ground.container, extra={"topics": {"telemetry": {"retention.ms": "2"}}})
    assert difference(before, after) == ["topics: telemetry: retention.ms 1 -> 2"]
