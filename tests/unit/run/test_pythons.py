"""Another Python is one that runs and is of the release that was asked for; where there is none, that is said."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.run import pythons, targets
from tests.run.__main__ import run_or_skip
from tests.run.stage import SKIPPED, Result

OTHER = "3.99"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with no other Python than a test gives it: on PATH, or of pyenv."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "pyenv" / "versions" / f"{OTHER}.1" / "bin").mkdir(parents=True)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("RASPI_KAFKA_CACHE", str(tmp_path / "cache"))
    return tmp_path


def place(path: Path, line: str) -> str:
    """A program that answers as a Python does."""
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)
    return str(path)


def test_one_on_path_is_found(machine: Path) -> None:
    python = place(machine / "bin" / f"python{OTHER}", f"echo {OTHER}")
    assert pythons.find(OTHER) == python
    assert pythons.absent(OTHER) == ""


@pytest.mark.parametrize("line", ["exit 127", "echo 3.9"], ids=["pyenv's without a choice", "another release"])
def test_one_that_does_not_run_or_is_another_is_passed_over(machine: Path, line: str) -> None:
    place(machine / "bin" / f"python{OTHER}", line)
    assert pythons.find(OTHER) == ""
    python = place(machine / "pyenv" / "versions" / f"{OTHER}.1" / "bin" / f"python{OTHER}", f"echo {OTHER}")
    assert pythons.find(OTHER) == python


def test_the_one_that_runs_this_needs_no_search(machine: Path) -> None:
    assert list((machine / "bin").iterdir()) == []
    assert pythons.find(pythons.OWN) == sys.executable
    assert pythons.OWN not in pythons.OTHERS


@pytest.mark.usefixtures("machine")
def test_what_needs_an_absent_one_is_skipped_with_the_reason_and_not_passed() -> None:
    results: list[Result] = []
    for stage in targets.other_pythons():
        results.append(run_or_skip(stage, results))
    assert {result.state for result in results} == {SKIPPED}
    version = pythons.OTHERS[0]
    assert [result.why for result in results[:2]] == [
        f"there is no python{version} here, neither on PATH nor of pyenv",
        f"needs {targets.venv_of(version)}",
    ]
