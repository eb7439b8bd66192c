"""Debian packages of the machine the tests run on."""

import os
import shutil
from pathlib import Path

from .step import Failure, run, step


def as_root(argv: list[str | Path]) -> list[str | Path]:
    """Prefix a command with sudo where it is needed."""
    if os.geteuid() == 0:
        return argv
    if not shutil.which("sudo"):
        raise Failure(f"cannot run {argv[0]} as root", "this user is not root and sudo is absent", "run this as root")
    return ["sudo", "--non-interactive", *argv]


def ensure(wanted: dict[str, str]) -> None:
    """Install the packages whose program or file (the key) is absent."""
    absent = sorted({package for need, package in wanted.items() if not present(need)})
    if not absent:
        return
    if not shutil.which("apt-get"):
        raise Failure(f"{', '.join(absent)} missing", "this machine has no apt-get", "install them by its own means")
    with step(f"apt-get install {' '.join(absent)}"):
        apt("update")
        apt("install", "--yes", "--no-install-recommends", *absent)


def present(need: str) -> bool:
    """Tell whether a program (a bare name) or a file (a path) is there."""
    places = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
    return Path(need).exists() if "/" in need else shutil.which(need, path=places) is not None


def apt(*arguments: str) -> None:
    """Run apt-get without questions."""
    command = as_root(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet", *arguments])
    run(command, f"apt-get {arguments[0]} failed", "look at the machine's apt sources and network")
