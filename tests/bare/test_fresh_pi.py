"""What stands between a fresh Pi and its first deployment: what one sees, and the command of the README that mends it.

pi1 is the Pi: a user with a password and no key, sudo that asks for it, updates that have apt locked, no python3-venv
and a /tmp from which nothing can be executed. pi2 is its owner's computer, without python3-venv too; there one types.
The words and the commands are read out of the README's table. Each pain but the last ones ends a run at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.hosts import cache, host
from tests.hosts.computer import ANSIBLE, Answer, Terminal, equip, use_ansible
from tests.hosts.deployed import wait_until
from tests.hosts.host import as_root
from tests.hosts.play import Run

SET = "fresh"
README = cache.REPOSITORY / "README.md"
SITE = "ansible-playbook site.yml -i pis.ini"
FIRST, CHOSEN = "raspberry", "Himbeere-2026"
NEXT_PAIN = "sudo on pi1 asks for the password of its user"
LOGIN: tuple[Answer, ...] = (("(yes/no", "yes"), ("password:", FIRST), ("$ ", "exit"))
# As its image leaves it, a stand-in has a key and needs no password; the key is mounted.
FRESH = f"""
umount /home/pi/.ssh/authorized_keys
rm /home/pi/.ssh/authorized_keys /etc/sudoers.d/010_pi-nopasswd
echo pi:{FIRST} | chpasswd
echo PasswordAuthentication yes > /etc/ssh/sshd_config.d/0-password.conf
systemctl restart ssh
mount -t tmpfs -o noexec,nosuid,nodev tmpfs /tmp
mount -t tmpfs -o noexec,nosuid,nodev tmpfs /var/tmp
"""
# Stopped while it has the lock, it has it for as long as a test needs.
UPDATE = """
systemd-run --quiet --unit unattended unattended-upgrade
pid=$(systemctl show unattended --property MainPID --value)
lock=$(stat --format %i /var/lib/dpkg/lock-frontend)
until grep -q "WRITE $pid .*:$lock 0" /proc/locks; do
  systemctl --quiet is-active unattended
  sleep 0.02
done
systemctl kill --signal STOP unattended
"""


class Desk(NamedTuple):
    """The Pi, and the computer beside it."""

    pi: host.Host
    computer: host.Host

    def type(self, line: str, *answers: Answer, seconds: float = 120) -> Run:
        with Terminal(self.computer) as terminal:
            return terminal.type(line, *answers, seconds=seconds)


class Row(NamedTuple):
    """A line of the README's table: what is seen, without what differs, and the commands."""

    words: list[str]
    commands: list[str]

    def seen(self, run: Run) -> bool:
        return all(words in run.text for words in self.words)


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    """Return a fresh Pi and a computer of this module's own."""
    with host.fresh(SET, count=2) as (pi, computer):
        as_root(pi, FRESH)
        begin(pi, "apt-get update && apt-get install -qy --no-install-recommends unattended-upgrades")
        begin(computer, "apt-get update")
        equip(computer, pi)
        ended(computer)
        yield Desk(pi, computer)


def begin(machine: host.Host, command: str) -> None:
    """Let something be done meanwhile."""
    environment = "--setenv DEBIAN_FRONTEND=noninteractive --property RemainAfterExit=yes"
    as_root(machine, f"systemd-run --quiet --unit meanwhile {environment} sh -c '{command}'")


def ended(machine: host.Host) -> None:
    """Wait for it, and see that it went well."""
    ask = "systemctl show meanwhile --property SubState --property Result --value"
    wait_until(lambda: "running" not in as_root(machine, ask).split(), 300, "packages are installed")
    assert set(as_root(machine, ask).split()) == {"success", "exited"}


def hang_up(pi: host.Host) -> None:
    """End what is logged in: Ansible keeps a connection for a minute, and would not log in anew."""
    as_root(pi, "pkill -KILL -u pi sshd || true")


def row(desk: Desk, words: str) -> Row:
    """Return the line of the table in which these words are seen."""
    section = README.read_text().split("\n## It does not work\n")[1].split("\n## ")[0]
    lines = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    ((sees, _means, command),) = [cells for cells in lines if words in cells[0]]
    return Row([part.strip() for quote in quoted(desk, sees) for part in quote.split("[...]")], quoted(desk, command))


def quoted(desk: Desk, cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell.replace("192.168.1.50", desk.pi.address))


def test_a_host_key_that_is_not_known_is_known_after_one_login(desk: Desk) -> None:
    pain = row(desk, "Host key verification failed")
    run = desk.type(SITE)
    assert pain.seen(run)
    assert "HAS CHANGED" not in run.text
    (login,) = pain.commands
    assert "The authenticity of host" in desk.type(login, *LOGIN).text
    assert not pain.seen(desk.type(SITE))


def test_a_host_key_that_has_changed_is_forgotten_and_taken_anew(desk: Desk) -> None:
    as_root(desk.pi, "rm /etc/ssh/ssh_host_* && ssh-keygen -A && systemctl restart ssh")
    pain = row(desk, "REMOTE HOST IDENTIFICATION HAS CHANGED!")
    assert pain.seen(desk.type(SITE))
    forget, login = pain.commands
    assert desk.type(forget).code == 0
    desk.type(login, *LOGIN)
    assert not row(desk, "Host key verification failed").seen(desk.type(SITE))


def test_a_login_by_password_needs_sshpass_with_an_older_ansible_only(desk: Desk) -> None:
    pain = row(desk, "you must install the sshpass program")
    with_password = f"{SITE} --ask-pass"
    assert NEXT_PAIN in desk.type(with_password, ("SSH password:", FIRST)).text
    hang_up(desk.pi)
    use_ansible(desk.computer, "2.18")
    try:
        assert pain.seen(desk.type(with_password, ("SSH password:", FIRST)))
        (install,) = pain.commands
        assert desk.type(install).code == 0
        assert NEXT_PAIN in desk.type(with_password, ("SSH password:", FIRST)).text
    finally:
        use_ansible(desk.computer, ANSIBLE)


def test_permission_is_denied_until_the_pi_has_the_key(desk: Desk) -> None:
    hang_up(desk.pi)
    pain = row(desk, "Permission denied (publickey")
    assert pain.seen(desk.type(SITE))
    make, give = pain.commands
    assert desk.type(make, ("save the key", ""), ("passphrase", ""), ("same passphrase", "")).code == 0
    assert desk.type(give, ("password:", FIRST)).code == 0
    assert NEXT_PAIN in desk.type(SITE).text


def test_a_password_that_must_be_changed_is_changed_by_one_login(desk: Desk) -> None:
    hang_up(desk.pi)
    as_root(desk.pi, "chage --lastday 0 pi")
    pain = row(desk, "wants a new password")
    run = desk.type(SITE)
    assert pain.seen(run)
    (login,) = pain.commands
    assert login in run.text, "the play names the command too"
    desk.type(login, ("Current password:", FIRST), ("New password:", CHOSEN), ("Retype new password:", CHOSEN))
    # At once: the connection that refused everything is not kept.
    assert NEXT_PAIN in desk.type(SITE).text


def test_sudo_gets_the_password_that_it_asks_for(desk: Desk) -> None:
    pain = row(desk, NEXT_PAIN)
    assert pain.seen(desk.type(SITE))
    (again,) = pain.commands
    assert pain.seen(desk.type(again, ("BECOME password:", FIRST))), "that one is not the password any more"
    run = desk.type(again, ("BECOME password:", CHOSEN))
    assert not pain.seen(run)
    assert run.count("pi1", "ok") > 5


def test_a_computer_without_python3_venv_is_told_before_the_pi_is_changed(desk: Desk) -> None:
    pain = row(desk, "The control node could not make its private Python environment")
    run = desk.type(f"{SITE} -K", ("BECOME password:", CHOSEN))
    assert pain.seen(run)
    assert run.count("pi1", "changed") == 0
    (install,) = pain.commands
    assert install in run.text, "the play names the command too"
    assert desk.type(install, ("[Y/n]", "y")).code == 0


def test_the_deployment_waits_for_apt_installs_python3_venv_and_needs_no_tmp(desk: Desk) -> None:
    ended(desk.pi)
    assert row(desk, "ensurepip is not available").seen(desk.type(f"ssh pi@{desk.pi.address} python3 -m venv probe"))
    noexec = row(desk, "noexec")
    assert noexec.seen(desk.type(noexec.commands[0]))
    as_root(desk.pi, UPDATE)
    pain = row(desk, "apt is locked by")

    def look_and_release() -> None:
        assert "unattended-upgrade" in desk.type(pain.commands[0]).text
        as_root(desk.pi, "systemctl kill --signal CONT unattended")

    said = pain.words[-1]
    run = desk.type(f"{SITE} -K", ("BECOME password:", CHOSEN), (said, look_and_release), seconds=600)
    assert pain.seen(run)
    assert (run.code, run.count("pi1", "failed")) == (0, 0)
    assert "100 sent, 100 read from the beginning, 100 found on disk" in run.text
    assert "proof from the control node 100 sent, 100 read from the beginning" in run.text
    assert "noexec" in as_root(desk.pi, "findmnt /tmp")


@pytest.mark.parametrize(("codec", "stored_as"), [("zstd", "snappy"), ("snappy", "zstd")])
def test_tools_and_broker_compress_by_code_that_tmp_would_not_execute(desk: Desk, codec: str, stored_as: str) -> None:
    """The broker unpacks what the producer packed, and packs it anew; the consumer unpacks that."""
    topic = f"--topic events-{codec}"
    create = f"kafka topics --create {topic} --config compression.type={stored_as}"
    send = f"echo {codec} | kafka console-producer {topic} --compression-codec {codec}"
    read = f"kafka console-consumer {topic} --from-beginning --max-messages 1 --timeout-ms 30000"
    run = desk.type(f"ssh pi@{desk.pi.address} '{create} && {send} && {read}'")
    assert f"\n{codec}\n" in run.output
