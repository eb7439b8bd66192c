"""Which stages there are, and which of them a target runs."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from dataclasses import replace
from pathlib import Path

from tests.hosts import cache, host
from tests.hosts.step import tell

from . import pythons, shards
from .stage import Stage

ROOT = cache.REPOSITORY
LINT = ("yamllint", "ansible-lint", "ruff check", "ruff format", "changelog")
MODULES = ["python3", "-m", "tests.run.modules"]
MACHINE = ("engine", "image", "archive")
SHORT = "cluster in short"
MUTATED = "mutations of the change"
CLUSTERS = ("bootstrap", "growth", "regrowth", "shapes", "faults", "roll")
BRIDGE = "bridge"
ESP32 = "esp32"
GUARD = "guard"
BROWSER = "browser"
ALERTING = "alerting"
TELEMETRY = "telemetry"
COMMANDS = "commands"
# What every change has to pass; one of the shards comes to it.
ALWAYS = (
    "venv",
    *LINT,
    "unit",
    MUTATED,
    "sanity",
    "build",
    *MACHINE,
    "modules",
    "hosts",
    "molecule default",
    SHORT,
)
DEPLOY = "ansible-playbook site.yml -i .cache/demo/pis.ini"
TARGETS = {
    "venv": ("venv",),
    "lint": LINT,
    "unit": ("unit",),
    "mutations": ("mutations",),
    "sanity": ("sanity",),
    "build": ("build",),
    "galaxy": ("galaxy",),
    "docs": ("docs",),
    "modules": ("modules",),
    "hosts": ("hosts",),
    "bare": ("bare",),
    BRIDGE: (BRIDGE,),
    ESP32: (ESP32,),
    GUARD: (GUARD,),
    BROWSER: (BROWSER,),
    "load": ("load",),
    ALERTING: (ALERTING,),
    TELEMETRY: (TELEMETRY,),
    COMMANDS: (COMMANDS,),
    "pythons": shards.SHARDS["pythons"].stages,
    "releases": shards.SHARDS["releases"].stages,
    "pages": ("pages",),
    "molecule": tuple(f"molecule {name}" for name in ("default", "pi", "field", "gateway", "cluster", "cluster_live")),
    **{name: (name,) for name in CLUSTERS},
    "test-arm64": ("molecule arm64",),
    "bench": ("bench",),
    "demo": (DEPLOY,),
    "demo-down": ("hosts down demo", "engine down"),
}
ON_REQUEST = ("test", "test-all")
KEEP_ENGINE = ("demo", "demo-down")


def stages(target: str) -> list[Stage]:
    """Return a target's stages after those that they need."""
    known = {stage.name: stage for stage in [*checks(), *other_pythons(), *releases(), *demo()]}
    wanted = set(asked(target))
    for name in reversed(known):  # what a stage needs stands before it
        if name in wanted:
            wanted |= set(known[name].needs)
    return [stage for stage in known.values() if stage.name in wanted]


def asked(target: str) -> tuple[str, ...]:
    """Return the names of the stages that a target is about."""
    if target == "test":
        name, why = shards.choose(shards.SHARDS)
        tell(f"After what every change has to pass, this one gets the shard {name} ({why}).")
        shard = shards.SHARDS[name]
        return (*(stage for stage in ALWAYS if stage not in shard.covers), *shard.stages)
    return everything() if target == "test-all" else TARGETS[target]


def everything() -> tuple[str, ...]:
    """Return the names of all stages that judge."""
    return (*ALWAYS, *(name for shard in shards.SHARDS.values() for name in shard.stages))


def left_out(target: str, ran: list[str]) -> list[str]:
    """Return what `make test` leaves to `make test-all`."""
    return [name for name in everything() if name not in ran] if target == "test" else []


def checks() -> list[Stage]:
    """Return what every change has to pass, the quickest first."""
    return [
        Stage("venv", module("venv"), 900, live=True, env=environment()),
        check("yamllint", ["yamllint", "--strict", "."], 60),
        check("ansible-lint", ["ansible-lint", "--offline", "--strict", "--profile", "production", "--nocolor"], 300),
        check("ruff check", ["ruff", "check", "--output-format", "concise", "."], 60),
        check("ruff format", ["ruff", "format", "--check", "--diff", "."], 60),
        check("changelog", ["antsibull-changelog", "lint"], 60),
        # A file stays together: some run one play for all of their tests.
        check("unit", ["pytest", "--numprocesses", "2", "--dist", "loadfile", "tests/unit"], 1200),
        check(MUTATED, ["python3", "-m", "tests.mutations", "--changed"], 1500, live=True),
        check("mutations", ["python3", "-m", "tests.mutations"], 2400, live=True),
        check("sanity", ["python3", "-m", "tests.run.sanity"], 900),
        check("build", ["python3", "-m", "tests.run.build"], 300),
        check("galaxy", ["python3", "-m", "tests.run.galaxy"], 1200),
        check("docs", ["python3", "-m", "tests.run.docs"], 900),
        *machine(),
        check("modules", MODULES, 900, ("archive",)),
        check("hosts", ["python3", "-m", "pytest", "tests/hosts"], 1200, needs=MACHINE, live=True),
        scenario("default", 2400),
        check(SHORT, ["pytest", "-v", "tests/short"], 1800, MACHINE, live=True),
        scenario("pi", 2400),
        scenario("field", 1800),
        scenario("gateway", 2400),
        scenario("cluster", 2400),
        scenario("cluster_live", 2400),
        check(GUARD, [*MODULES, "-s", f"tests/{GUARD}"], 1200, ("archive",), live=True),
        *(check(name, ["pytest", "-v", "--exitfirst", f"tests/{name}"], 2400, MACHINE, live=True) for name in CLUSTERS),
        check(BRIDGE, [*MODULES, f"tests/{BRIDGE}"], 2400, ("archive",), live=True),
        check(ESP32, [*MODULES, f"tests/{ESP32}"], 1200, ("archive",), live=True),
        # Emulated. Nothing runs beside it: stages come one after another.
        scenario("arm64", 2400, image="image arm64"),
        check("load", [*MODULES, "tests/load"], 1800, MACHINE, live=True),
        check(ALERTING, [*MODULES, f"tests/{ALERTING}"], 2400, ("archive",), live=True),
        check(TELEMETRY, [*MODULES, f"tests/{TELEMETRY}"], 900, ("archive",), live=True),
        check(COMMANDS, [*MODULES, f"tests/{COMMANDS}"], 1800, ("archive",), live=True),
        check(BROWSER, ["pytest", "-v", f"tests/{BROWSER}"], 900, live=True),
        check("bare", ["pytest", "-v", "tests/bare"], 2400, MACHINE, live=True),
        # A reader who is stuck does not go on.
        check("pages", ["pytest", "-v", "--exitfirst", "tests/pages"], 1800, MACHINE, live=True),
        check("bench", ["python3", "-m", "tests.bench"], 3600, MACHINE, live=True),
    ]


def machine() -> list[Stage]:
    """Return what hosts need; no package of the environment is used here."""
    hosts = [sys.executable, "-m", "tests.hosts"]
    image = Stage("image", [*hosts, "image"], 900, ("engine",), live=True, env=environment())
    return [
        Stage("engine", [*module("engine"), "up"], 600, live=True, env=environment()),
        image,
        replace(image, name="image arm64", command=[*image.command, "--arch", "arm64"], finds_out=True),
        Stage("archive", [*hosts, "archive"], 900, live=True, env=environment()),
    ]


def other_pythons() -> list[Stage]:
    """Return what runs in environments of other Pythons too, with the ansible-core that is locked for each."""
    found = []
    for version in pythons.OTHERS:
        place, env = venv_of(version), environment(version)
        make = [*module("venv"), "--python", version]
        found += [
            Stage(place, make, 900, live=True, env=env, finds_out=True),
            Stage(f"unit on Python {version}", ["pytest", "tests/unit"], 900, (place,), env=env),
            Stage(f"modules on Python {version}", MODULES, 900, (place, "archive"), env=env),
        ]
    return found


def releases() -> list[Stage]:
    """Return bare hosts that other releases deploy."""
    command = ["pytest", "-v", "tests/releases"]
    return [
        Stage(name, command, 1800, (venv_of(version), *MACHINE), live=True, env=environment(version))
        for name, version in pythons.CONTROL_NODES.items()
    ]


def venv_of(version: str) -> str:
    """Return the stage that makes the environment of a Python."""
    return "venv" if version == pythons.OWN else f"venv of Python {version}"


def scenario(name: str, limit: int, *, image: str = "image") -> Stage:
    """Return one Molecule scenario as a stage."""
    command = ["molecule", "test", "--scenario-name", name]
    return check(f"molecule {name}", command, limit, ("engine", image, "archive"), live=True)


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


def bin_directory(version: str = pythons.OWN) -> Path:
    """Where the environment's programs are."""
    return pythons.environment(version) / "bin"


def environment(version: str = pythons.OWN) -> dict[str, str]:
    """Let the stages find the environment's programs, this checkout as a collection, and nothing of the user's own."""
    path = [str(bin_directory(version)), os.environ["PATH"], "/usr/sbin", "/sbin"]
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
