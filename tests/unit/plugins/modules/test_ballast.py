"""The file that is there to be deleted."""

from __future__ import annotations

import os
from pathlib import Path

from ansible_collections.raspi.kafka.plugins.modules.ballast import Ballast, apply, look, to_change, too_large

MIB = 1 << 20


def test_what_is_missing_or_of_another_size_is_changed() -> None:
    right, small, none = (Ballast(f"/{n}/ballast", size * MIB, 1000 * MIB) for n, size in enumerate((128, 64, 0)))
    assert to_change([right, small, none], 128 * MIB) == [small, none]
    assert to_change([right], 0) == [right]


def test_nothing_is_reserved_where_it_would_take_more_than_half() -> None:
    tight = Ballast("/data/ballast", 0, 255 * MIB)
    assert too_large([tight], 128 * MIB) == [tight]
    assert to_change([tight], 128 * MIB) == []
    assert to_change([Ballast("/data/ballast", 0, 256 * MIB)], 128 * MIB) != []


def test_one_that_is_there_stays_on_a_full_disk_and_can_shrink() -> None:
    full = Ballast("/data/ballast", 128 * MIB, 0)
    assert too_large([full], 128 * MIB) == []
    assert to_change([full], 64 * MIB) == [full]


def test_it_is_reserved_shrunk_and_removed_for_real(tmp_path: Path) -> None:
    (ballast,) = look([str(tmp_path), str(tmp_path)])  # one file system, one ballast
    apply(ballast, 2 * MIB)
    assert os.stat(ballast.path).st_blocks * 512 >= 2 * MIB
    assert os.stat(ballast.path).st_mode & 0o777 == 0o600
    (present,) = look([str(tmp_path)])
    assert present.present == 2 * MIB
    apply(present, MIB)
    assert os.stat(ballast.path).st_size == MIB
    apply(present, 0)
    assert os.listdir(tmp_path) == []


def test_a_directory_that_is_not_made_yet_will_get_one(tmp_path: Path) -> None:
    found = look([str(tmp_path / "a"), str(tmp_path / "b")])
    assert len(to_change(found, 128 * MIB)) == 2
