"""The collection as stages look at it: a copy of the checkout, and what is in it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.hosts import cache
from tests.hosts.step import run

MADE = (".git", ".cache", ".ansible", "*_cache", "__pycache__", "*.tar.gz")
DOCUMENTED = {"module": "plugins/modules/[!_]*.py", "filter": "plugins/filter/[!_]*.py", "role": "roles/*"}


def copy(tree: Path, *left_out: str) -> Path:
    """Copy the checkout as it is now, without what was made in it."""
    shutil.copytree(cache.REPOSITORY, tree, symlinks=True, ignore=shutil.ignore_patterns(*MADE, *left_out))
    return tree


def forget_user(home: Path) -> None:
    """Let Ansible see an empty home, and no configuration or collection."""
    for name in [name for name in os.environ if name.startswith("ANSIBLE_") or name == "PYTHONPATH"]:
        del os.environ[name]
    home.mkdir()
    os.environ["HOME"] = str(home)


def add_wheel(tree: Path) -> None:
    """Build the wheel of a copy's programs into it, as the README says."""
    command = [
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        tree / "roles" / "python_venv" / "files",
        tree / "edge",
    ]
    run(command, "the wheel cannot be built", "look at edge/pyproject.toml, and whether pip reaches its package index")


def build(tree: Path, place: Path) -> Path:
    """Build the archive of a copy."""
    command = ["ansible-galaxy", "collection", "build", "--force", "--output-path", place, tree]
    run(command, "the collection cannot be built", "look at galaxy.yml")
    (archive,) = place.glob("raspi-kafka-*.tar.gz")
    return archive


def documented(content: Path) -> dict[str, list[str]]:
    """Name what has documentation of its own, by its kind."""
    return {kind: sorted(path.stem for path in content.glob(pattern)) for kind, pattern in DOCUMENTED.items()}
