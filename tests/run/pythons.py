"""The Pythons of this machine: the one that runs this, and those of the other releases that hosts and users have."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.hosts import cache

OWN = f"{sys.version_info.major}.{sys.version_info.minor}"
# From Ubuntu 22.04's to Debian 13's.
RELEASES = ("3.10", "3.11", "3.12", "3.13")
# Stage -> Python: those with the oldest ansible-core that is supported, and with the newest that is locked.
CONTROL_NODES = {f"releases on Python {version}": version for version in (RELEASES[0], RELEASES[-1])}
OTHERS = tuple(version for version in RELEASES if version != OWN)


def find(version: str) -> str:
    """Return a Python of this release that runs; empty if there is none."""
    if version == OWN:
        return sys.executable
    return next((python for python in candidates(version) if runs(python, version)), "")


def absent(version: str) -> str:
    """Say why there is nothing to run on it, if so."""
    return "" if find(version) else f"there is no python{version} here, neither on PATH nor of pyenv"


def environment(version: str) -> Path:
    """Return where its environment is, or will be."""
    return cache.directory("venv" if version == OWN else f"venv-{version}")


def candidates(version: str) -> Iterator[str]:
    """Return where one may be; pyenv's program on PATH runs only what its user has chosen."""
    if found := shutil.which(f"python{version}"):
        yield found
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from map(str, sorted(root.glob(f"versions/{version}.*/bin/python{version}")))


def runs(python: str, version: str) -> bool:
    """Tell whether it runs and is of that release."""
    ask = [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    done = subprocess.run(ask, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode == 0 and done.stdout.strip() == version
