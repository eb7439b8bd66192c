"""Which stages there are, and which of them a target runs."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

from tests.hosts import cache, host

from .stage import Stage

ROOT = cache.REPOSITORY
LINT = ("yamllint", "ansible-lint", "ruff check", "ruff format", "changelog")
MACHINE = ("engine", "image", "archive")
TEST = ("venv", *LINT, "unit", "sanity", "build", *MACHINE, "modules", "hosts", "molecule default", "molecule field")
# What makes it too long for every change.
MORE = ("bare", "pages", "mutations")
DEPLOY = "ansible-playbook site.yml -i .cache/demo/pis.ini"
TARGETS = {
    "test": TEST,
    "venv": ("venv",),
    "lint": LINT,
    "unit": ("unit",),
    "mutations": ("mutations",),
    "sanity": ("sanity",),
    "build": ("build",),
    "modules": ("modules",),
    "hosts": ("hosts",),
    "bare": ("bare",),
    "pages": ("pages",),
    "molecule": ("molecule default", "molecule field"),
    "bench": ("bench",),
    "demo": (DEPLOY,),
    "demo-down": ("hosts down demo", "engine down"),
}
ON_REQUEST = ("test-all",)
KEEP_ENGINE = ("demo", "demo-down")


def stages(target: str) -> list[Stage]:
    """Return a target's stages after those that they need."""
    known = {stage.name: stage for stage in [*checks(), *scenarios(), *demo()]}
    wanted = set(everything() if target == "test-all" else TARGETS[target])
    for name in reversed(known):  # what a stage needs stands before it
        if name in wanted:
            wanted |= set(known[name].needs)
    return [stage for stage in known.values() if stage.name in wanted]


def everything() -> list[str]:
    """Return the names of all stages that judge."""
    return [*dict.fromkeys((*TEST, *MORE, *(stage.name for stage in scenarios())))]


def left_out(target: str) -> list[str]:
    """Return what `make test` leaves to `make test-all`."""
    return [name for name in everything() if name not in TEST] if target == "test" else []


def checks() -> list[Stage]:
    """Return what every change has to pass, the quickest first."""
    return [
        Stage("venv", module("venv"), 900, live=True, env=environment()),
        check("yamllint", ["yamllint", "--strict", "."], 60),
        check("ansible-lint", ["ansible-lint", "--offline", "--strict", "--profile", "production", "--nocolor"], 300),
        check("ruff check", ["ruff", "check", "--output-format", "concise", "."], 60),
        check("ruff format", ["ruff", "format", "--check", "--diff", "."], 60),
        check("changelog", ["antsibull-changelog", "lint"], 60, absent=unless("changelogs/config.yaml")),
        check("unit", ["pytest", "tests/unit"], 600),
        check("mutations", ["python3", "-m", "tests.mutations"], 900, live=True),
        check("sanity", ["python3", "-m", "tests.run.sanity"], 900),
        check("build", ["python3", "-m", "tests.run.build"], 300),
        *machine(),
        check(
            "modules",
            ["python3", "-m", "tests.run.modules"],
            900,
            needs=("archive",),
            absent=unless("tests/e2e/test_*.py"),
        ),
        check("hosts", ["python3", "-m", "pytest", "tests/hosts"], 1200, needs=MACHINE, live=True),
        scenario("default"),
        check("bare", ["pytest", "-v", "tests/bare"], 2400, MACHINE, live=True),
        # A reader who is stuck does not go on.
        check("pages", ["pytest", "-v", "--exitfirst", "tests/pages"], 1800, MACHINE, live=True),
        check("bench", ["python3", "-m", "tests.bench"], 3600, MACHINE, live=True),
    ]


def machine() -> list[Stage]:
    """Return what hosts need; no package of the environment is used here."""
    hosts = [sys.executable, "-m", "tests.hosts"]
    return [
        Stage("engine", [*module("engine"), "up"], 600, live=True, env=environment()),
        Stage("image", [*hosts, "image"], 900, ("engine",), live=True, env=environment()),
        Stage("archive", [*hosts, "archive"], 900, live=True, env=environment()),
    ]


def scenarios() -> list[Stage]:
    """Return the further Molecule scenarios."""
    names = sorted(path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml"))
    return [scenario(name) for name in names if name != "default"]


def scenario(name: str) -> Stage:
    """Return one Molecule scenario as a stage."""
    command = ["molecule", "test", "--scenario-name", name]
    return check(f"molecule {name}", command, 2400, MACHINE, live=True, absent=unless(f"molecule/{name}/molecule.yml"))


def demo() -> list[Stage]:
    """Return what shows the product: the command that a user types, on a host that lives on."""
    env = environment()
    user = {key: value for key, value in env.items() if key not in ("PYTHONPATH", "ANSIBLE_COLLECTIONS_PATH")}
    if sys.stderr.isatty():
        user["ANSIBLE_FORCE_COLOR"] = "1"
    hosts = [sys.executable, "-m", "tests.hosts"]
    absent = "" if shutil.which("docker") else "there is no Docker here"
    needs = () if absent else ("engine",)
    return [
        Stage("ansible-core", [*module("venv"), "ansible-core"], 600, live=True, env=env),
        Stage("hosts up demo", [*hosts, "up", "demo"], 300, MACHINE, live=True, env=env),
        Stage(DEPLOY, shlex.split(DEPLOY), 1200, ("ansible-core", "hosts up demo"), live=True, env=user),
        Stage("hosts down demo", [*hosts, "down", "demo"], 120, needs, live=True, env=env, absent=absent),
        engine_down("down-if-idle"),
    ]


def engine_down(how: str = "down") -> Stage:
    """Return the stage that ends the engine that was started here, and no other."""
    return Stage("engine down", [*module("engine"), how], 120, live=True, env=environment())


def check(
    name: str, command: list[str], limit: int, needs: tuple[str, ...] = (), *, live: bool = False, absent: str = ""
) -> Stage:
    """Return a stage that uses the environment's packages."""
    return Stage(name, command, limit, ("venv", *needs), live=live, env=environment(), absent=absent)


def module(name: str) -> list[str]:
    """Return the command that runs a part of this runner."""
    return [sys.executable, "-m", f"tests.run.{name}"]


def unless(pattern: str) -> str:
    """Say why there is nothing to run if no such file is there."""
    return "" if any(ROOT.glob(pattern)) else f"there is no {pattern}"


def bin_directory() -> Path:
    """Where the environment's programs are."""
    return cache.directory("venv") / "bin"


def environment() -> dict[str, str]:
    """Let the stages find the environment's programs, this checkout as a collection, and nothing of the user's own."""
    path = [str(bin_directory()), os.environ["PATH"], "/usr/sbin", "/sbin"]
    theirs = {
        key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "MOLECULE_", "PYTHON"))
    }
    return {
        **theirs,
        "PATH": os.pathsep.join(path),
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / '.collections'}",
        "PYTHONUNBUFFERED": "1",
        "COLUMNS": str(max(120, shutil.get_terminal_size().columns)),  # molecule folds lines at it
        **({} if sys.stderr.isatty() else {"NO_COLOR": "1"}),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
    }


def login(pi: host.Host) -> str:
    """Return the command that logs in, as one types it."""
    return shlex.join(pi.ssh(cache.directory("demo")))
