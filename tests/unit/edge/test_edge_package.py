"""What the package says of itself."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest
import raspi_kafka
import yaml
from raspi_kafka import alert, bridge, commands, simulate, telemetry

REPOSITORY = Path(__file__).parents[3]
EDGE = REPOSITORY / "edge"


def test_the_package_has_the_version_of_the_collection() -> None:
    assert raspi_kafka.__version__ == yaml.safe_load((REPOSITORY / "galaxy.yml").read_text())["version"]


def test_the_wheel_has_all_modules_and_the_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    done = subprocess.run(command, cwd=EDGE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("raspi_kafka-*-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        points = archive.read(next(name for name in names if name.endswith("entry_points.txt"))).decode()
    assert {str(path.relative_to(EDGE / "src")) for path in (EDGE / "src").rglob("*.py")} <= names
    assert "raspi-kafka = raspi_kafka.cli:main" in points


@pytest.mark.parametrize(("key", "lock"), [("dependencies", "edge.txt"), ("load", "load.txt")])
def test_the_lock_has_every_dependency_of_the_package(key: str, lock: str) -> None:
    needs = re.search(rf"^{key} = \[([^\]]*)\]", (EDGE / "pyproject.toml").read_text(), re.MULTILINE)
    assert needs
    named = {name.lower() for name in re.findall(r'"([\w-]+)', needs[1])}
    locked = re.findall(r"^([\w-]+)==", (REPOSITORY / "roles/python_venv/files" / lock).read_text(), re.MULTILINE)
    assert named <= set(locked)


def test_the_bridge_starts_without_what_only_a_load_test_needs(tmp_path: Path) -> None:
    for name in ("rich", "uvloop", "pygal"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('the bridge has imported it')")
    code = "import raspi_kafka.cli as c, raspi_kafka.bridge.bridge; c.arguments()"
    path = os.pathsep.join((str(tmp_path), str(EDGE / "src")))
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_command_that_is_named_is_imported_alone() -> None:
    """What others need would cost a service on a Pi its memory; of commands it has what a device does."""
    code = """if True:
        import sys, raspi_kafka.cli as c
        c.arguments(["telemetry"])
        import raspi_kafka.telemetry.run
        heavy = {"asyncio", "confluent_kafka", "rich", "uvloop", "pygal", "prometheus_client", "fastjsonschema"}
        names = ("alert", "bridge", "commands.command", "simulate", "load_test", "report")
        others = {f"raspi_kafka.{name}" for name in names}
        print(sorted((heavy | others) & sys.modules.keys()))"""
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(EDGE / "src")}, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize("package", [alert, bridge, commands, simulate, telemetry])
def test_the_page_names_every_file(package: ModuleType) -> None:
    heading = f"`src/{package.__name__.replace('.', '/')}/`"
    page = (EDGE / "README.md").read_text().partition(heading)[2].partition("What is in which file")[0]
    files = {path.name for path in Path(*package.__path__).glob("*.py")} - {"__init__.py"}
    assert {name for name in files if f"`{name}`" not in page} == set()
