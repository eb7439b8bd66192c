"""Which packages and wheels the roles choose for each system, also for those that no test host has.

The facts of a system are what Ansible's own code makes of its real /etc below systems/. The wheels are fetched.
"""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import MagicMock

import pytest
import yaml
from ansible.module_utils import distro
from ansible.module_utils.facts.system.distribution import Distribution, DistributionFiles
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import canonicalize_name, parse_wheel_filename
from plays import REPOSITORY, Host, failures, run


class System(NamedTuple):
    """What is known of a system: the folder of its /etc, its Python, its C library, and the package of Java."""

    folder: str
    python: str
    glibc_minor: int
    java: str


# Ubuntu's rows are public knowledge (packages.ubuntu.com lists the packages for amd64 and arm64) and are not asked for
# here; those of Debian are what its hosts have, which other tests deploy. Raspberry Pi OS of 64 bits has Debian's.
SYSTEMS = {
    "Ubuntu 22.04": System("ubuntu-22.04", "3.10", 35, "openjdk-17-jre-headless"),
    "Debian 12": System("debian-12", "3.11", 36, "openjdk-17-jre-headless"),
    "Ubuntu 24.04": System("ubuntu-24.04", "3.12", 39, "openjdk-17-jre-headless"),
    "Debian 13": System("debian-13", "3.13", 41, "openjdk-21-jre-headless"),
}
MACHINES = ("x86_64", "aarch64")
HOSTS = list(itertools.product(SYSTEMS, MACHINES))
LOCK = REPOSITORY / "roles" / "python_venv" / "files" / "requirements.txt"
EDGE = LOCK.with_name("edge.txt")
FAR_ENOUGH = "the wheels would be pushed now"
RECORDER = """\
#!/bin/sh
echo "$*" >> {log}
exec {python} "$@"
"""


class Played(NamedTuple):
    """What the roles did for a host: the packages they asked for, and what pip was told and fetched."""

    packages: list[str]
    platforms: list[str]
    wheels: list[str]


def facts(folder: Path) -> dict[str, Any]:
    """Let Ansible's own code read a system's /etc from elsewhere."""
    files = [{**one, "path": f"{folder}{one['path']}"} for one in DistributionFiles.OSDIST_LIST]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DistributionFiles, "OSDIST_LIST", files)
        patch.setattr(sys.modules[distro.id.__module__], "_distro", distro.LinuxDistribution(root_dir=str(folder)))
        return Distribution(MagicMock()).get_distribution_facts()


def roles_with_packages() -> list[str]:
    """The roles that install some."""
    tasks = REPOSITORY.glob("roles/*/tasks/*.yml")
    return sorted({path.parts[-3] for path in tasks if "pi_host_packages: [" in path.read_text()})


def host(root: Path, name: str, machine: str) -> Host:
    """A host of one of the systems, without any package and without wheels."""
    nothing_installed = [{"stdout": "1 0"}, {"stdout": ""}]
    java, target = {"stdout": "17"}, {"stdout": f"{machine} {SYSTEMS[name].python} False"}
    answers = {
        "setup": [{"ansible_facts": facts(Path(__file__).parent / "systems" / SYSTEMS[name].folder)}],
        "apt_packages": [{"done": True}],
        "command": [*nothing_installed, java, target, *nothing_installed],
        "file": [{"failed": True, "msg": FAR_ENOUGH}],
    }
    return Host(root, f"{SYSTEMS[name].folder}-{machine}", answers)


@pytest.fixture(scope="module")
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Played]:
    """System and machine -> what one run of the roles did for it, over all that are asked for."""
    params = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    asked = {(one.get("name"), one.get("machine")) for one in params}
    root = tmp_path_factory.mktemp("systems")
    log, python = root / "log", root / "python"
    python.write_text(RECORDER.format(log=log, python=sys.executable))
    python.chmod(0o755)
    hosts = {key: host(root, *key) for key in HOSTS if key in asked}
    tasks = [{"ansible.builtin.include_role": {"name": f"raspi.kafka.{role}"}} for role in roles_with_packages()]
    (root / "roles.yml").write_text(json.dumps([{"hosts": "pis", "gather_facts": True, "tasks": tasks}]))
    variables = {
        "python_venv_cache": str(root / "cache"),
        "python_venv_control_python": str(python),
        "_python_venv_control_python": str(python),
    }
    lines = "\n".join(["[pis]", *(one.line() for one in hosts.values()), ""])
    _code, said = run(root, lines, "-e", json.dumps(variables), book=str(root / "roles.yml"))
    found = failures(said)
    assert {found.get(one.name, ("", said))[1] for one in hosts.values()} == {FAR_ENOUGH}
    told = dict(pip_told(log.read_text()))
    return {key: seen(one, told, key[1], SYSTEMS[key[0]].python) for key, one in hosts.items()}


def pip_told(log: str) -> Iterator[tuple[Path, list[str]]]:
    """Folder -> the platforms for which wheels were fetched into it."""
    for line in log.splitlines():
        assert "--require-hashes --only-binary :all:" in line
        assert line.endswith(str(LOCK.relative_to(REPOSITORY)))
        yield Path(re.search(r"--dest (\S+)", line)[1]), re.findall(r"--platform (\S+)", line)


def seen(one: Host, told: dict[Path, list[str]], machine: str, python: str) -> Played:
    (folder,) = (path for path in told if path.name == f"{machine}-{python}")
    wheels = sorted(path.name for path in folder.iterdir() if path.name != ".complete")
    return Played([name for asked in one.given("apt") for name in asked["name"]], told[folder], wheels)


def accepted(name: str, machine: str) -> tuple[set[str], set[Tag]]:
    """The platforms of a system, and the tags of wheels that pip takes there."""
    system = SYSTEMS[name]
    version = tuple(map(int, system.python.split(".")))
    # PEP 600: every C library since 2.17 (2.5 on x86-64) to its own; manylinux2014 is 2.17.
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(system.glibc_minor, 16, -1)]
    platforms += [f"manylinux2014_{machine}", f"linux_{machine}"]
    tags = {*cpython_tags(version, platforms=platforms), *compatible_tags(version, platforms=platforms)}
    return set(platforms), tags


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_facts_are_those_of_the_system(name: str) -> None:
    found = facts(Path(__file__).parent / "systems" / SYSTEMS[name].folder)
    assert f"{found['distribution']} {found['distribution_version']}".startswith(name)
    assert found["distribution_major_version"] == name.split()[1].partition(".")[0]


@pytest.mark.parametrize(("name", "machine"), HOSTS)
def test_the_packages_are_those_that_the_system_has(
    played: dict[tuple[str, str], Played], name: str, machine: str
) -> None:
    assert played[name, machine].packages == [SYSTEMS[name].java, "python3-venv"]


@pytest.mark.parametrize(("name", "machine"), HOSTS)
def test_pip_is_told_no_platform_that_the_system_is_not(
    played: dict[tuple[str, str], Played], name: str, machine: str
) -> None:
    platforms = played[name, machine].platforms
    assert platforms
    assert set(platforms) <= accepted(name, machine)[0]


@pytest.mark.parametrize(("name", "machine"), HOSTS)
def test_every_locked_package_has_a_wheel_that_the_system_takes(
    played: dict[tuple[str, str], Played], name: str, machine: str
) -> None:
    assert not_taken(played[name, machine].wheels, LOCK, name, machine) == []


@pytest.mark.parametrize(("name", "machine"), HOSTS)
def test_so_has_every_package_of_the_programs_that_run_on_a_pi(
    played: dict[tuple[str, str], Played], name: str, machine: str, tmp_path: Path
) -> None:
    """Fetched as the role does it, by what it told pip about this system."""
    platforms = [word for platform in played[name, machine].platforms for word in ("--platform", platform)]
    python = ["--implementation", "cp", "--python-version", SYSTEMS[name].python]
    how = ["--quiet", "--require-hashes", "--only-binary", ":all:", "--no-deps", *python, *platforms]
    command = [sys.executable, "-m", "pip", "download", *how, "--dest", str(tmp_path), "-r", str(EDGE)]
    subprocess.run(command, check=True, timeout=300)
    assert not_taken([path.name for path in tmp_path.iterdir()], EDGE, name, machine) == []


def not_taken(files: list[str], lock: Path, name: str, machine: str) -> list[str]:
    """The packages whose wheels the system's pip would not take, of all that the lock names."""
    wheels = {parse_wheel_filename(file)[0]: parse_wheel_filename(file)[3] for file in files}
    assert set(wheels) == {canonicalize_name(each) for each in re.findall(r"^(\S+)==", lock.read_text(), re.MULTILINE)}
    return [package for package, tags in wheels.items() if not tags & accepted(name, machine)[1]]


@pytest.mark.parametrize(("name", "machine"), HOSTS)
def test_a_removal_names_every_package_that_was_asked_for(
    played: dict[tuple[str, str], Played], name: str, machine: str
) -> None:
    removal = yaml.safe_load((REPOSITORY / "playbooks" / "uninstall.yml").read_text())[1]
    assert {*played[name, machine].packages} <= {*removal["vars"]["__uninstall_packages"]}
