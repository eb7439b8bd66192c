"""Pieces of a file, as they arrive on a host."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.modules.push_file import PushError, cannot_write, run, state

CONTENT = bytes(range(256)) * 16
SUM = hashlib.sha512(CONTENT).hexdigest()


def send(dest: Path, piece: bytes, offset: int, finish: bool = False, wanted: str = SUM) -> dict[str, Any]:
    path = dest.with_name("piece")
    path.write_bytes(piece)
    done = run({"dest": str(dest), "sha512": wanted, "piece": str(path), "offset": offset, "finish": finish})
    path.unlink()
    return done


def test_pieces_become_the_file(tmp_path: Path) -> None:
    dest = tmp_path / "kafka.tgz"
    send(dest, CONTENT[:1000], 0)
    assert not dest.exists()
    send(dest, CONTENT[1000:], 1000, finish=True)
    assert dest.read_bytes() == CONTENT
    assert state(str(dest), SUM)["done"]


def test_a_piece_cuts_off_what_stands_behind_its_place(tmp_path: Path) -> None:
    dest = tmp_path / "kafka.tgz"
    send(dest, b"x" * 9000, 0)
    send(dest, CONTENT[:1000], 0)
    send(dest, CONTENT[1000:], 1000, finish=True)
    assert dest.read_bytes() == CONTENT


def test_a_wrong_sum_is_refused_and_nothing_of_it_is_kept(tmp_path: Path) -> None:
    with pytest.raises(PushError, match=f"came with the sha512 {SUM}"):
        send(tmp_path / "kafka.tgz", CONTENT, 0, finish=True, wanted="0" * 128)
    assert list(tmp_path.glob("kafka*")) == []


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "piece").write_bytes(b"x")
    params = {"dest": str(tmp_path / "no" / "x"), "sha512": SUM, "piece": str(tmp_path / "piece"), "offset": 0}
    with pytest.raises(PushError, match=r"Cannot write .*No such file or directory. Look at that folder"):
        run({**params, "finish": False})


def test_a_damaged_file_on_the_host_is_sent_again(tmp_path: Path) -> None:
    (tmp_path / "kafka.tgz").write_bytes(CONTENT[:-1])
    assert not state(str(tmp_path / "kafka.tgz"), SUM)["done"]


def test_only_a_full_disk_is_told_to_be_freed() -> None:
    full, read_only = (
        cannot_write("/opt/x", OSError(number, os.strerror(number))) for number in (errno.ENOSPC, errno.EROFS)
    )
    assert "No space left on device. Free some space there, then run the play again: it goes on." in full
    assert "Read-only file system. Look at that folder, then" in read_only
