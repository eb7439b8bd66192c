"""When Mosquitto's database is set aside, and that it is never deleted."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "roles" / "mosquitto" / "files" / "database_guard.py"
_SPEC = importlib.util.spec_from_file_location("database_guard", SCRIPT)
database_guard = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(database_guard)
UNREADABLE = "Error: Unable to restore persistent database. Unrecognised file format.\nError: Couldn't open database.\n"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "mosquitto.db"
    path.write_text("what was in it")
    return path


def ended(monkeypatch: pytest.MonkeyPatch, path: Path, said: str, result: str = "exit-code") -> list[str]:
    """Let a process end; returns the names of the files that are there then."""
    monkeypatch.setattr(database_guard, "journal", lambda invocation: said if invocation == "abc" else "")
    database_guard.main(path, {"SERVICE_RESULT": result, "INVOCATION_ID": "abc"})
    return sorted(one.name for one in path.parent.iterdir())


def test_a_database_that_cannot_be_read_is_set_aside_with_an_alarm(
    database: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(database_guard.time, "time", lambda: 1795694400)
    assert ended(monkeypatch, database, UNREADABLE) == ["mosquitto.db.unreadable-20261126T120000Z"]
    assert database.with_name("mosquitto.db.unreadable-20261126T120000Z").read_text() == "what was in it"
    alarm = capsys.readouterr().err
    assert alarm.startswith(f"<2>Mosquitto could not read {database}. It is {database}.unreadable-20261126T120000Z now")


@pytest.mark.parametrize(
    ("said", "result"),
    [
        ("Error: Address already in use\n", "exit-code"),
        ("Error: Unable to open configuration file.\n", "exit-code"),
        (UNREADABLE, "signal"),
        (UNREADABLE, "success"),
        ("Client x said Error: Couldn't open database.\n", "exit-code"),
        ("", "exit-code"),
    ],
)
def test_any_other_end_leaves_it(database: Path, monkeypatch: pytest.MonkeyPatch, said: str, result: str) -> None:
    assert ended(monkeypatch, database, said, result) == ["mosquitto.db"]


def test_where_there_is_none_nothing_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ended(monkeypatch, tmp_path / "mosquitto.db", UNREADABLE) == []
