"""A user's computer: a stand-in with ansible-core and this checkout, on which commands are typed at a terminal.

It stands in for the control node where a test needs one of its own: with its own known hosts and packages.
"""

from __future__ import annotations

import io
import re
import shlex
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pexpect

from . import archive, cache, inventory
from .host import USER, Host, as_root
from .play import Run

HOME = f"/home/{USER}"
CHECKOUT = f"{HOME}/raspi.kafka"
ANSIBLE = "2.19"
LOCKS = [cache.REPOSITORY / "roles" / "python_venv" / "files" / name for name in ("requirements.txt", "edge.txt")]
NOT_IN_A_CHECKOUT = (".git", ".cache", ".ansible", "__pycache__")
USER_ID = 1000  # the image's first user
# A wide terminal without colours. This machine stands in for the package index, which a stand-in may not reach.
ENVIRONMENT = ("TERM=dumb", "NO_COLOR=1", "LANG=C.UTF-8", "PIP_NO_INDEX=1", f"PIP_FIND_LINKS={HOME}/wheels")
LINES, COLUMNS = 50, 160
# The shell shows how the last line ended; an environment that is activated puts its name before it.
SHELL = ("env", r"PS1=[exit $?] > ", "bash", "--norc", "--noprofile", "--noediting", "-i")
PROMPT = r"\[exit (\d+)\] > "
CTRL_C = "\x03"
Answer = tuple[str, str | Callable[[], object]]


def equip(computer: Host, pi: Host) -> None:
    """Give it ansible-core, a checkout, and an inventory that says of the Pi what the README says."""
    furnish(computer)
    as_root(computer, f"cp -p {CHECKOUT}/inventory/pis.example.ini {CHECKOUT}/pis.ini")
    write_address(computer, pi)
    use_ansible(computer, ANSIBLE)


def furnish(computer: Host, *packages: str) -> None:
    """Give it a checkout, and what it would fetch: Kafka's archive, and the wheels of these packages."""
    push(computer, cache.REPOSITORY, CHECKOUT, NOT_IN_A_CHECKOUT)
    push(computer, wheels(computer, *packages), f"{HOME}/wheels")
    kafka = archive.build().path
    push(computer, kafka, f"{HOME}/{kafka.name}")


def write_address(computer: Host, pi: Host) -> None:
    """Write into the inventory how the Pi is reached, and where the archive is."""
    kafka = archive.build()
    text = inventory.rewrite(
        as_root(computer, f"cat {CHECKOUT}/pis.ini"),
        {pi.name: {"ansible_host": pi.address, "ansible_user": USER}},
        {
            "kraft_broker_archive": f"{HOME}/{kafka.path.name}",
            "kraft_broker_archive_sha512": kafka.sha512,
            "pi_host_clock_wait": "3",
        },
    )
    as_root(computer, f"cat > {CHECKOUT}/pis.ini", text)


def use_ansible(computer: Host, version: str) -> None:
    """Make a release of ansible-core the one that is used; others stay."""
    place = f"/opt/ansible-core-{version}"
    if not as_root(computer, f"ls -d {place} 2>/dev/null || true"):
        folder = cache.directory("_computer", f"ansible-core-{version}-{python_of(computer)}")
        if not (folder / ".complete").exists():
            pip(computer, "install", "--upgrade", "--target", str(folder), f"ansible-core=={version}.*")
            (folder / ".complete").touch()
        push(computer, folder, place)
        as_root(computer, f"sed -i '1s|.*|#!/usr/bin/python3|' {place}/bin/ansible*")
    packages = as_root(computer, "python3 -c 'import site; print(site.getsitepackages()[0])'")
    as_root(computer, f"mkdir -p {packages} && echo {place} > {packages}/ansible-core.pth")
    as_root(computer, f"ln -sf {place}/bin/ansible* /usr/local/bin/")


def python_of(host: Host) -> str:
    """Its architecture and Python, such as x86_64-3.11."""
    ask = "import platform, sys; print(platform.machine() + '-%d.%d' % sys.version_info[:2])"
    return as_root(host, f"python3 -c {shlex.quote(ask)}")


def wheels(host: Host, *packages: str) -> Path:
    """Return a folder with what the product locks, and with these packages and what they need, for the host."""
    asked = [*builders(), *packages]
    locked = [path.read_bytes() for path in LOCKS]
    folder = cache.directory("_wheels", cache.fingerprint(*locked, python_of(host), *asked))
    if not (folder / ".complete").exists():
        for lock in LOCKS:
            pip(host, "download", "--require-hashes", "--no-deps", "--requirement", str(lock), "--dest", str(folder))
        pip(host, "download", "--dest", str(folder), *asked)
        (folder / ".complete").touch()
    return folder


def builders() -> list[str]:
    """Return what a checkout needs to build the wheel of its programs."""
    text = (cache.REPOSITORY / "edge" / "pyproject.toml").read_text()
    return re.findall(r'"([^"]+)"', re.search(r"^requires = \[(.*)\]$", text, re.MULTILINE)[1])


def pip(host: Host, verb: str, *arguments: str) -> None:
    """Run this machine's pip for the host's architecture and Python."""
    machine, python = python_of(host).split("-")
    target = ["--only-binary", ":all:", "--implementation", "cp", "--python-version", python]
    for libc in ("2014", "_2_17", "_2_28", "_2_34"):
        target += ["--platform", f"manylinux{libc}_{machine}"]
    command = [sys.executable, "-m", "pip", verb, "--quiet", "--disable-pip-version-check", *target, *arguments]
    subprocess.run(command, check=True, timeout=300)


def push(host: Host, source: Path, place: str, left_out: tuple[str, ...] = ()) -> None:
    """Copy a file or a folder to the host, where it belongs to user pi."""

    def given_to_user(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        member.uid = member.gid = USER_ID
        member.uname = member.gname = USER
        return None if Path(member.name).name in left_out else member

    unpack = ["docker", "exec", "--interactive", host.container, "tar", "-xf", "-", "-C", "/"]
    with subprocess.Popen(unpack, stdin=subprocess.PIPE) as unpacking:
        with tarfile.open(fileobj=unpacking.stdin, mode="w|") as tar:
            tar.add(source, place, filter=given_to_user)
        unpacking.communicate(timeout=120)
    assert unpacking.returncode == 0, f"{source} was not copied to {host.container}"


class Terminal:
    """A shell of the computer at which a person types; what one line has set is there for the next."""

    def __init__(self, computer: Host, folder: str = CHECKOUT) -> None:
        options = [word for value in ENVIRONMENT for word in ("--env", value)]
        command = ["exec", "-it", "--user", USER, "--workdir", folder, *options, computer.container, *SHELL]
        size = (LINES, COLUMNS)
        self._docker = pexpect.spawn("docker", command, dimensions=size, encoding="utf-8", codec_errors="replace")

    def __enter__(self) -> Terminal:
        self._docker.expect(PROMPT)
        return self

    def __exit__(self, *_error: object) -> None:
        self._docker.sendeof()
        self._docker.expect([pexpect.EOF, pexpect.TIMEOUT], timeout=5)
        self._docker.close(force=True)

    def type(self, line: str, *answers: Answer, seconds: float = 120) -> Run:
        """Type a line, and answer what is asked, in this order; no answer may be waited for longer than that.

        An answer is typed, or called where something else shall happen at that moment.
        """
        self._docker.logfile_read = said = io.StringIO()
        self._docker.sendline(line)
        try:
            for asked, answer in answers:
                found = self._docker.expect([re.escape(asked), PROMPT], timeout=seconds)
                assert found == 0, f"it never said {asked!r}:\n{said.getvalue()[-3000:]}"
                self._give(answer)
            self._docker.expect(PROMPT, timeout=seconds)
        finally:
            print(said.getvalue())
        return Run(int(self._docker.match[1]), said.getvalue().replace("\r\n", "\n"))

    def _give(self, answer: str | Callable[[], object]) -> None:
        if callable(answer):
            answer()
        elif answer == CTRL_C:
            self._docker.send(answer)
        else:
            self._docker.sendline(answer)
