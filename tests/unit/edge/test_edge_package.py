"""What the package says of itself."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import raspi_kafka
import yaml
from raspi_kafka.bridge import config

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


def test_the_lock_has_every_dependency_of_the_package() -> None:
    needs = re.search(r"^dependencies = \[(.*)\]", (EDGE / "pyproject.toml").read_text(), re.MULTILINE)
    assert needs
    named = {name.lower() for name in re.findall(r'"([\w-]+)', needs[1])}
    locked = re.findall(r"^([\w-]+)==", (REPOSITORY / "roles/python_venv/files/edge.txt").read_text(), re.MULTILINE)
    assert named <= set(locked)


def test_the_page_names_every_file() -> None:
    page = (EDGE / "README.md").read_text()
    files = {path.name for path in Path(config.__file__).parent.glob("*.py")} - {"__init__.py"}
    assert {name for name in files if f"`{name}`" not in page} == set()
