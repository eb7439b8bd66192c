"""What one run leaves to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from raspi_kafka.bridge.session import Known, SessionFile

if TYPE_CHECKING:
    from pathlib import Path

KNOWN = Known("me", frozenset({"a/+", "b/#"}), frozenset({"a/+"}))


def test_the_next_run_reads_what_was_written(tmp_path: Path) -> None:
    assert SessionFile(tmp_path).read() is None
    SessionFile(tmp_path).write(KNOWN)
    assert SessionFile(tmp_path).read() == KNOWN
    assert [path.name for path in tmp_path.iterdir()] == ["session.json"]


def test_the_directory_of_the_service_is_that_of_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    SessionFile.of_service().write(KNOWN)
    assert SessionFile(tmp_path).read() == KNOWN


def test_what_is_known_already_is_not_written_again(tmp_path: Path) -> None:
    SessionFile(tmp_path).write(KNOWN)
    before = (tmp_path / "session.json").stat().st_ino
    SessionFile(tmp_path).write(KNOWN)
    assert (tmp_path / "session.json").stat().st_ino == before


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"client_id": "me"}', '{"client_id": "me", "filters": 1}'])
def test_a_file_that_is_none_of_ours_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "session.json").write_text(text)
    assert SessionFile(tmp_path).read() is None


def test_without_a_directory_it_lasts_as_long_as_the_process() -> None:
    session = SessionFile(None)
    session.write(KNOWN)
    assert session.read() == KNOWN
