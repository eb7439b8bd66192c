"""The collection as a user of Galaxy gets it: built, installed elsewhere, and used from there."""

from __future__ import annotations

import json
import os
import sys
import tarfile
import tempfile
from pathlib import Path

import yaml

from tests.hosts import cache
from tests.hosts.step import Failure, run, step
from tests.pages.page import README, blocks

from . import collection

# What only a checkout needs. A name with a dot in front is refused too.
CHECKOUT_ONLY = {"tests", "molecule", "Makefile", "ansible.cfg", "pyproject.toml", "edge", "group_vars", "host_vars"}
# What a user, or a release, may leave in a checkout, and nobody may publish.
PRIVATE = (
    *("pis.ini", "cluster.ini", "hosts.ini", "iot.ini", "inventory.ini", "group_vars/pis.yml", "host_vars/pi1.yml"),
    *("credentials/pi1.yml", "inventory/credentials/pi1.yml"),
    "changelogs/.plugin-cache.yaml",
)
EXAMPLE = cache.REPOSITORY / "inventory" / "pis.example.ini"


def main() -> None:
    """Build and install as the README says, look into the archive, and use what is installed."""
    with tempfile.TemporaryDirectory() as scratch:
        home, checkout, elsewhere = (Path(scratch) / name for name in ("home", "checkout", "elsewhere"))
        elsewhere.mkdir()
        collection.copy(checkout)
        keep_private(checkout)
        collection.forget_user(home)
        os.chdir(checkout)
        follow_readme()
        (archive,) = home.glob("raspi-kafka-*.tar.gz")
        check_content(archive)
        content = home / ".ansible" / "collections" / "ansible_collections" / "raspi" / "kafka"
        os.chdir(elsewhere)  # no ansible.cfg, no checkout
        try_playbooks(content)
        for kind, names in collection.documented(content).items():
            try_documentation(kind, names)


def keep_private(checkout: Path) -> None:
    """Add what must not be published."""
    for name in PRIVATE:
        (checkout / name).parent.mkdir(exist_ok=True)
        (checkout / name).write_text("")


def follow_readme() -> None:
    """Type what the README says, in one shell."""
    lines = [
        line
        for block in blocks(README)
        if any("ansible-galaxy" in line for line in block.lines)
        for line in block.lines
    ]
    if not any(line.startswith("ansible-galaxy collection install") for line in lines):
        raise Failure("the README does not say how to build and install the collection", "no such lines", "write them")
    with step("; ".join(lines)):
        run(["sh", "-e"], "the lines of the README do not install the collection", "type them", stdin="\n".join(lines))


def check_content(archive: Path) -> None:
    """See that it holds all of the product and nothing of the checkout."""
    with tarfile.open(archive) as tar:
        names = [Path(name) for name in tar.getnames()]
    unwanted = CHECKOUT_ONLY.union(PRIVATE)
    extra = [
        str(name) for name in names if unwanted & {name.parts[0], str(name)} or is_hidden(name) or is_compiled(name)
    ]
    if extra:
        raise Failure("the archive holds what belongs to a checkout", ", ".join(extra[:10]), "see build_ignore")
    product = [path for top in ("playbooks", "plugins", "roles") for path in (cache.REPOSITORY / top).rglob("*")]
    wanted = {
        path.relative_to(cache.REPOSITORY) for path in [EXAMPLE, *product] if path.is_file() and not is_compiled(path)
    }
    wanted.add(Path("roles", "python_venv", "files", f"raspi_kafka-{version()}-py3-none-any.whl"))
    missing = [str(name) for name in sorted(wanted - set(names))]
    if missing:
        raise Failure("the archive lacks files", ", ".join(missing[:10]), "see build_ignore in galaxy.yml")


def version() -> str:
    """Return the version of the collection, which its wheel has too."""
    return yaml.safe_load((cache.REPOSITORY / "galaxy.yml").read_text())["version"]


def is_hidden(name: Path) -> bool:
    """Tell whether a part of the name has a dot in front."""
    return any(part.startswith(".") for part in name.parts)


def is_compiled(name: Path) -> bool:
    """Tell whether Python has left it there."""
    return name.suffix == ".pyc" or "__pycache__" in name.parts


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
