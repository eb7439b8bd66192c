"""Hosts boot, are two and not one twice, survive a power cut, and are what the inventory says."""

import re
import subprocess

import pytest

from tests.hosts import archive, cache, emulation, host, image
from tests.hosts.step import Failure

from .conftest import SET


def on(pi: host.Host, command: str) -> str:
    """Run a command as Ansible would: by ssh, as user pi."""
    argv = pi.ssh(cache.directory(SET), command)
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=120).stdout.strip()


def test_systemd_runs_and_nothing_failed(pis: list[host.Host]) -> None:
    for pi in pis:
        assert on(pi, "systemctl is-system-running; ps -o comm= -p 1") == "running\nsystemd"


def test_user_pi_is_root_without_a_password(pis: list[host.Host]) -> None:
    assert on(pis[0], "id -un; sudo -n id -un") == "pi\nroot"


def test_each_has_its_own_identity(pis: list[host.Host]) -> None:
    assert [on(pi, "hostname") for pi in pis] == ["pi1", "pi2"]
    for fact in ("cat /etc/machine-id", "cat /etc/ssh/ssh_host_ed25519_key.pub"):
        values = [on(pi, fact) for pi in pis]
        assert all(values)
        assert len(set(values)) == len(pis)


def test_they_find_each_other_by_name(pis: list[host.Host]) -> None:
    assert on(pis[0], "getent hosts pi2").split()[0] == pis[1].address


def test_packages_can_be_installed_and_their_services_start(pis: list[host.Host]) -> None:
    install = "sudo apt-get -q update && sudo DEBIAN_FRONTEND=noninteractive apt-get -q install --yes cron"
    assert on(pis[1], f"({install}) >/dev/null 2>&1 && systemctl is-active cron") == "active"


def test_a_power_cut_keeps_the_disk_and_loses_the_memory(pis: list[host.Host]) -> None:
    pi = pis[1]
    on(pi, "echo kept > disk; sync; echo lost | sudo tee /run/memory")
    identity = on(pi, "cat /etc/machine-id /etc/ssh/*.pub")
    host.kill(pi.container)
    assert not host.inspect(pi.container)["State"]["Running"]
    host.start(pi.container)
    assert on(pi, "cat disk; ls /run/memory 2>&1 | grep -c 'No such file'") == "kept\n1"
    assert on(pi, "cat /etc/machine-id /etc/ssh/*.pub") == identity


def test_up_leaves_what_runs_alone(pis: list[host.Host]) -> None:
    before = [host.inspect(pi.container)["State"] for pi in pis]
    assert host.up(SET, count=2).exists()
    assert [host.inspect(pi.container)["State"] for pi in pis] == before


def test_up_starts_what_lost_power(pis: list[host.Host]) -> None:
    host.kill(pis[0].container)
    host.up(SET, count=2)
    assert on(pis[0], "hostname") == "pi1"


def test_the_inventory_says_where_they_are(pis: list[host.Host]) -> None:
    text = (cache.directory(SET) / "pis.ini").read_text()
    group = text.split("[pis]\n", 1)[1].split("\n[", 1)[0]
    lines = [line for line in group.splitlines() if re.match(r"\w", line)]
    assert [line.split()[:2] for line in lines] == [[pi.name, f"ansible_host={pi.address}"] for pi in pis]
    assert f"\nkraft_broker_archive={archive.build().path}\n" in text


def test_down_of_nothing_is_no_error() -> None:
    host.down("never-was")
    assert host.find("never-was") == []


def test_down_removes_only_its_own(pis: list[host.Host]) -> None:
    host.up("hosts-self-test-2")
    (other,) = host.find("hosts-self-test-2")
    assert on(pis[0], "hostname") == "pi1"
    host.down("hosts-self-test-2")
    assert host.inspect(other.container) is None
    assert host.subnet_of("hosts-self-test-2") is None
    assert host.find(SET) == pis
    assert image.exists(image.tag_of(image.SUITE, emulation.NATIVE))


def test_a_bad_name_is_refused() -> None:
    with pytest.raises(Failure, match="cannot name hosts"):
        host.up("../x")
