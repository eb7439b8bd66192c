"""The file that is there to be deleted."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.modules import ballast as module
from ansible_collections.raspi.kafka.plugins.modules.ballast import Ballast, apply, look, reserved, to_change, too_large

from tests.module_args import patch_module_args

MIB = 1 << 20
WANTED = 128 * MIB


def made(capsys: pytest.CaptureFixture[str], *log_dirs: Path, size_mb: int = 2) -> dict[str, Any]:
    """What the module answers."""
    options = {"log_dirs": [str(path) for path in log_dirs], "size_mb": size_mb}
    with patch_module_args(options), pytest.raises(SystemExit):
        module.main()
    return json.loads(capsys.readouterr().out)


def test_what_is_missing_or_of_another_size_is_changed() -> None:
    right, small, none = (Ballast(f"/{n}/ballast", n, WANTED, 1000 * MIB) for n in (WANTED, 64 * MIB, None))
    assert to_change([right, small, none]) == [small, none]
    unwanted = Ballast("/data/ballast", WANTED, None, 0)
    assert to_change([unwanted]) == [unwanted]
    assert to_change([Ballast("/data/ballast", None, None, 0)]) == []


def test_nothing_is_reserved_where_it_would_take_more_than_half() -> None:
    tight = Ballast("/data/ballast", None, WANTED, 255 * MIB)
    assert too_large([tight]) == [tight]
    assert to_change([tight]) == []
    assert to_change([Ballast("/data/ballast", None, WANTED, 256 * MIB)]) != []


def test_one_that_is_there_stays_on_a_full_disk_and_can_shrink() -> None:
    assert too_large([Ballast("/data/ballast", WANTED, WANTED, 0)]) == []
    full = Ballast("/data/ballast", WANTED, 64 * MIB, 0)
    assert too_large([full]) == []
    assert to_change([full]) == [full]


def test_it_is_reserved_shrunk_and_removed_for_real(tmp_path: Path) -> None:
    (ballast,) = look([str(tmp_path), str(tmp_path)], 2 * MIB)
    assert apply(ballast)
    assert os.stat(ballast.path).st_blocks * 512 >= 2 * MIB
    assert os.stat(ballast.path).st_mode & 0o777 == 0o600
    assert to_change(look([str(tmp_path)], 2 * MIB)) == []
    (present,) = look([str(tmp_path)], MIB)
    assert present.present == 2 * MIB
    assert apply(present)
    assert os.stat(ballast.path).st_size == MIB
    (unwanted,) = look([str(tmp_path)], 0)
    assert apply(unwanted)
    assert os.listdir(tmp_path) == []


def test_a_file_that_reserves_nothing_is_no_ballast(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As a run leaves it that gave the file its size first, and was then cut off."""
    with (tmp_path / "ballast").open("wb") as file:
        file.truncate(2 * MIB)
    assert reserved(str(tmp_path / "ballast")) == 0
    assert made(capsys, tmp_path)["changed"]
    assert (tmp_path / "ballast").stat().st_blocks * 512 >= 2 * MIB
    assert not made(capsys, tmp_path)["changed"]


def test_space_that_is_not_there_after_all_is_a_directory_that_was_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(handle: int, _offset: int, size: int) -> None:
        os.ftruncate(handle, size // 2)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    answer = made(capsys, tmp_path)
    assert (answer["changed"], answer["skipped_dirs"]) == (False, [str(tmp_path)])
    assert os.listdir(tmp_path) == []


def test_of_several_directories_on_one_disk_only_the_first_has_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    for path in (first, second):
        path.mkdir()
    made(capsys, second)
    (tmp_path / "again").symlink_to(first)
    assert made(capsys, first, second, tmp_path / "again")["changed"]
    assert (os.listdir(first), os.listdir(second)) == (["ballast"], [])
    assert not made(capsys, first, second)["changed"]


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_what_is_no_file_is_refused_and_never_followed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    victim, place = tmp_path / "victim", tmp_path / "data" / "ballast"
    victim.write_text("root's")
    place.parent.mkdir()
    if kind == "link":
        place.symlink_to(victim)
    else:
        os.mkfifo(place)
    answer = made(capsys, place.parent)
    assert answer["msg"] == f"{place} is there and is no file. Remove it and run the play again."
    with pytest.raises(OSError, match=os.strerror(errno.ELOOP if kind == "link" else errno.ENXIO)):
        apply(Ballast(str(place), None, MIB, 0))  # put there after the look
    assert victim.read_text() == "root's"


def test_a_directory_that_is_not_made_yet_will_get_one(tmp_path: Path) -> None:
    found = look([str(tmp_path / "a"), str(tmp_path / "b")], WANTED)
    assert len(to_change(found)) == 2
