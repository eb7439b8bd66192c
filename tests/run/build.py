"""The collection as a user of Galaxy gets it: built, installed elsewhere, and used from there."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

from tests.hosts import cache
from tests.hosts.step import Failure, run, step

# What only a checkout needs. A name with a dot in front is refused too.
CHECKOUT_ONLY = {"tests", "molecule", "Makefile", "ansible.cfg", "pis.ini", "pyproject.toml"}
EXAMPLE = cache.REPOSITORY / "inventory" / "pis.example.ini"
PLUGINS = {"module": "modules", "filter": "filter"}


def main() -> None:
    """Build, look into the archive, install it, and use it."""
    place = forget_checkout()
    archive = build()
    check_content(archive)
    install(archive, place)
    content = place / "ansible_collections" / "raspi" / "kafka"
    with tempfile.TemporaryDirectory() as elsewhere:
        os.chdir(elsewhere)  # no ansible.cfg, no checkout
        try_playbooks(content)
        for kind, directory in PLUGINS.items():
            names = [path.stem for path in sorted((content / "plugins" / directory).glob("[!_]*.py"))]
            try_documentation(kind, names)
        try_documentation("role", [path.name for path in sorted((content / "roles").iterdir())])


def forget_checkout() -> Path:
    """Let Ansible see an empty directory for collections, and return that."""
    place = cache.directory("installed")
    shutil.rmtree(place)
    os.environ["ANSIBLE_COLLECTIONS_PATH"] = str(place)
    os.environ.pop("PYTHONPATH", None)
    return place


def build() -> Path:
    """Build the collection's archive."""
    place = cache.directory("build")
    shutil.rmtree(place)
    command = ["ansible-galaxy", "collection", "build", "--force", "--output-path", place]
    with step("ansible-galaxy collection build"):
        run([*command, cache.REPOSITORY], "the collection cannot be built", "look at galaxy.yml")
    (archive,) = place.glob("raspi-kafka-*.tar.gz")
    return archive


def check_content(archive: Path) -> None:
    """See that it holds all of the product and nothing of the checkout."""
    with tarfile.open(archive) as tar:
        names = [Path(name) for name in tar.getnames()]
    extra = [str(name) for name in names if name.parts[0] in CHECKOUT_ONLY or is_hidden(name) or is_compiled(name)]
    if extra:
        raise Failure("the archive holds what only a checkout needs", ", ".join(extra[:10]), "see build_ignore")
    product = [path for top in ("playbooks", "plugins", "roles") for path in (cache.REPOSITORY / top).rglob("*")]
    wanted = {path.relative_to(cache.REPOSITORY) for path in product if path.is_file() and not is_compiled(path)}
    missing = [str(name) for name in sorted(wanted - set(names))]
    if missing:
        raise Failure("the archive lacks files", ", ".join(missing[:10]), "see build_ignore in galaxy.yml")


def is_hidden(name: Path) -> bool:
    """Tell whether a part of the name has a dot in front."""
    return any(part.startswith(".") for part in name.parts)


def is_compiled(name: Path) -> bool:
    """Tell whether Python has left it there."""
    return name.suffix == ".pyc" or "__pycache__" in name.parts


def install(archive: Path, place: Path) -> None:
    """Install the archive."""
    command = ["ansible-galaxy", "collection", "install", "--offline", "--collections-path", place, archive]
    with step(f"ansible-galaxy collection install {archive.name}"):
        run(command, f"{archive.name} cannot be installed", "look at galaxy.yml")


def try_playbooks(content: Path) -> None:
    """Let Ansible read each playbook by its full name."""
    paths = sorted((content / "playbooks").glob("*.yml"))
    if not paths:
        raise Failure("the installed collection has no playbooks", f"{content} has none", "look there")
    for path in paths:
        for option in ("--syntax-check", "--list-tasks"):
            command = ["ansible-playbook", f"raspi.kafka.{path.stem}", "-i", EXAMPLE, option]
            with step(" ".join(map(str, command))):
                run(command, f"raspi.kafka.{path.stem} {option} failed", f"run: {' '.join(map(str, command))}")


def try_documentation(kind: str, names: list[str]) -> None:
    """Ask for the documentation of each plugin or role: there is one, and it can be parsed."""
    full = [f"raspi.kafka.{name}" for name in names]
    with step(f"ansible-doc --type {kind}: {len(full)}"):
        output = run(["ansible-doc", "--type", kind, "--json", *full], f"ansible-doc --type {kind} failed", "run it")
    documented = {name for name, parts in json.loads(output).items() if parts.get("doc") or parts.get("entry_points")}
    missing = sorted(set(full) - documented)
    if missing or not full:
        raise Failure(f"{kind} without documentation", ", ".join(missing) or "none is there at all", "write it")


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(str(failure))
