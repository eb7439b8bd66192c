"""A user's computer: a stand-in with ansible-core and this checkout, on which commands are typed at a terminal.

It stands in for the control node where a test needs one of its own: with its own known hosts and packages.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import shlex
import struct
import subprocess
import sys
import tarfile
import termios
import time
from collections.abc import Callable
from pathlib import Path

from . import archive, cache, inventory
from .host import USER, Host, as_root
from .play import Run

HOME = f"/home/{USER}"
CHECKOUT = f"{HOME}/raspi.kafka"
ANSIBLE = "2.19"
LOCK = cache.REPOSITORY / "roles" / "python_venv" / "files" / "requirements.txt"
NOT_IN_A_CHECKOUT = (".git", ".cache", ".ansible", "__pycache__")
USER_ID = 1000  # the image's first user
# A wide terminal without colours. This machine stands in for the package index, which a stand-in may not reach.
ENVIRONMENT = ("TERM=dumb", "NO_COLOR=1", "LANG=C.UTF-8", "PIP_NO_INDEX=1", f"PIP_FIND_LINKS={HOME}/wheels")
LINES, COLUMNS = 50, 160
Answer = tuple[str, str | Callable[[], object]]


def equip(computer: Host, pi: Host) -> None:
    """Give it ansible-core, a checkout, and an inventory that says of the Pi what the README says."""
    kafka = archive.build()
    wheels = cache.directory("_computer", f"wheels-{cache.fingerprint(LOCK.read_bytes(), python_of(computer))}")
    pip(computer, "download", "--require-hashes", "--no-deps", "--requirement", str(LOCK), "--dest", str(wheels))
    push(computer, cache.REPOSITORY, CHECKOUT, NOT_IN_A_CHECKOUT)
    push(computer, wheels, f"{HOME}/wheels")
    push(computer, kafka.path, f"{HOME}/{kafka.path.name}")
    text = inventory.rewrite(
        inventory.EXAMPLE.read_text(),
        {pi.name: {"ansible_host": pi.address, "ansible_user": USER}},
        {
            "kraft_broker_archive": f"{HOME}/{kafka.path.name}",
            "kraft_broker_archive_sha512": kafka.sha512,
            "pi_host_clock_wait": "3",
        },
    )
    as_root(computer, f"cat > {CHECKOUT}/pis.ini && chown {USER}: {CHECKOUT}/pis.ini", text)
    use_ansible(computer, ANSIBLE)


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


def typed(computer: Host, line: str, *answers: Answer, seconds: float = 120) -> Run:
    """Type a line at a terminal in the checkout, and answer what is asked, in this order.

    An answer is typed, or called where something else shall happen at that moment.
    """
    options = [word for value in ENVIRONMENT for word in ("--env", value)]
    command = ["docker", "exec", "-it", "--user", USER, "--workdir", CHECKOUT, *options, computer.container]
    mine, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    process = subprocess.Popen([*command, "sh", "-c", line], stdin=its, stdout=its, stderr=its, start_new_session=True)
    os.close(its)
    try:
        said = converse(mine, list(answers), time.monotonic() + seconds)
        return Run(process.wait(10), said)
    finally:
        os.close(mine)
        process.kill()
        process.wait()


def converse(terminal: int, answers: list[Answer], deadline: float) -> str:
    """Answer, and read until the end; returns all that was read."""
    said, after = "", 0
    while piece := read(terminal, deadline):
        said += piece
        while answers and (found := said.find(answers[0][0], after)) >= 0:
            asked, answer = answers.pop(0)
            after = found + len(asked)
            if isinstance(answer, str):
                os.write(terminal, f"{answer}\n".encode())
            else:
                answer()
    print(said)
    assert time.monotonic() < deadline, f"it does not end:\n{said[-3000:]}"
    assert not answers, f"it never said {answers[0][0]!r}:\n{said[-3000:]}"
    return said.replace("\r\n", "\n")


def read(terminal: int, deadline: float) -> str:
    """Return what comes next, and nothing at the end or when the time is over."""
    ready, _writable, _failed = select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))
    try:
        return os.read(terminal, 1 << 16).decode(errors="replace") if ready else ""
    except OSError:  # its other side is closed
        return ""
