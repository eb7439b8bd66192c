"""Which pieces of a file the control node sends, and what it says meanwhile; the host is the module, called here."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible_collections.raspi.kafka.plugins.action import push_file
from ansible_collections.raspi.kafka.plugins.action.push_file import ActionModule, next_piece, start_of
from ansible_collections.raspi.kafka.plugins.modules import push_file as module

CONTENT = bytes(range(256)) * 16
SUM = hashlib.sha512(CONTENT).hexdigest()
MB = 1 << 20


class Push(ActionModule):
    """Copies pieces to a folder instead of a host."""

    def __init__(self, src: str, dest: Path, drops_after: int = 99) -> None:
        args = {"src": src, "dest": str(dest), "sha512": SUM}
        self._task = SimpleNamespace(args=args, check_mode=False, async_val=0)
        self._connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="/nowhere"))
        self.pieces: list[tuple[int, int]] = []
        self.drops_after = drops_after

    def transfer(self, path: Path, offset: int, size: int) -> str:
        if len(self.pieces) == self.drops_after:
            raise AnsibleConnectionFailure("gone")
        self.pieces.append((offset, size))
        piece = Path(self._task.args["dest"]).with_name("piece")
        piece.write_bytes(path.read_bytes()[offset : offset + size])
        return str(piece)

    def on_host(self, more: dict[str, Any], _variables: dict[str, Any]) -> dict[str, Any]:
        args = {"dest": self._task.args["dest"], "sha512": SUM, "piece": None, "offset": None, "finish": False, **more}
        return module.run(args)

    def push(self) -> dict[str, Any]:
        return self.run(task_vars={"inventory_hostname": "pi1"})


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    (tmp_path / "kafka.tgz").write_bytes(CONTENT)
    lines: list[str] = []
    monkeypatch.setattr(push_file.Display, "display", lambda _self, text: lines.append(text))
    monkeypatch.setattr(push_file, "_FIRST_PIECE", 1000)
    monkeypatch.setattr(push_file, "_MB", 1000)
    return lines


def test_pieces_grow_while_they_are_quick(tmp_path: Path, said: list[str]) -> None:
    action = Push(str(tmp_path / "kafka.tgz"), tmp_path / "release")
    assert action.push() == {"changed": True, "offset": 0}
    assert (tmp_path / "release").read_bytes() == CONTENT
    assert (action.pieces, said) == ([(0, 1000), (1000, 2000), (3000, 4000)], [])


@pytest.mark.usefixtures("said")
def test_pieces_grow_on_a_slow_host_behind_a_quick_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = itertools.count(0)

    class Slow(Push):
        def on_host(self, more: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
            for _second in range(60):
                next(now)
            return super().on_host(more, variables)

    monkeypatch.setattr(push_file.time, "monotonic", lambda: next(now))
    action = Slow(str(tmp_path / "kafka.tgz"), tmp_path / "release")
    assert action.push()["changed"]
    assert action.pieces == [(0, 1000), (1000, 2000), (3000, 4000)]


def test_a_push_that_was_cut_off_goes_on_and_says_so(tmp_path: Path, said: list[str]) -> None:
    src = str(tmp_path / "kafka.tgz")
    with pytest.raises(AnsibleConnectionFailure):
        Push(src, tmp_path / "release", drops_after=2).push()
    action = Push(src, tmp_path / "release")
    assert action.push() == {"changed": True, "offset": 3000}
    assert (tmp_path / "release").read_bytes() == CONTENT
    assert said == ["pi1: kafka.tgz: 3 of 4 MB are there already, the push goes on"]
    assert action.pieces == [(3000, 1000), (4000, 2000)]


def test_the_home_directory_and_variables_are_expanded(
    tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WHERE", str(tmp_path))
    for number, src in enumerate(["~/kafka.tgz", "$WHERE/kafka.tgz"]):
        assert Push(src, tmp_path / f"release{number}").push()["changed"]
    assert said == []


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    result = Push(str(tmp_path / "none.tgz"), tmp_path / "release").push()
    assert result["msg"] == f"Cannot read {tmp_path}/none.tgz on the control node: No such file or directory."


def test_a_push_has_a_limit_and_keeps_what_came(
    tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push_file, "_LIMIT", -1)
    result = Push(str(tmp_path / "kafka.tgz"), tmp_path / "release").push()
    assert result["failed"]
    assert result["msg"].startswith("pi1: 1 of 4 MB of kafka.tgz are there, and -1 s have passed. Run the play again")
    assert (tmp_path / "release.part").read_bytes() == CONTENT[:1000]
    assert said == []


def test_a_piece_that_the_host_cannot_write_ends_the_push(
    tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(params: dict[str, Any]) -> dict[str, Any]:
        return {"failed": True, "msg": "full"} if params["offset"] == 1000 else usual(params)

    usual = module.run
    monkeypatch.setattr(module, "run", full)
    action = Push(str(tmp_path / "kafka.tgz"), tmp_path / "release")
    assert action.push()["msg"] == "full"
    assert (action.pieces, said) == ([(0, 1000), (1000, 2000)], [])


def test_a_dry_run_sends_nothing(tmp_path: Path, said: list[str]) -> None:
    action = Push(str(tmp_path / "kafka.tgz"), tmp_path / "release")
    action._task.check_mode = True
    assert action.push()["changed"]
    assert (action.pieces, said, list(tmp_path.glob("release*"))) == ([], [], [])


@pytest.mark.parametrize(
    ("piece", "seconds", "after"),
    [(MB, 1, 2 * MB), (16 * MB, 1, 16 * MB), (4 * MB, 5, 4 * MB), (4 * MB, 11, 2 * MB), (MB // 4, 11, MB // 4)],
)
def test_the_size_of_a_piece_follows_the_link(piece: int, seconds: float, after: int) -> None:
    assert next_piece(piece, seconds) == after


@pytest.mark.parametrize(
    ("there", "start"),
    [(b"", 0), (CONTENT[:1000], 1000), (CONTENT, len(CONTENT)), (b"x" * 1000, 0), (CONTENT + b"more", 0)],
    ids=["nothing", "a beginning", "all", "another file", "too much"],
)
def test_what_is_there_counts_if_it_is_the_beginning(tmp_path: Path, there: bytes, start: int) -> None:
    (tmp_path / "kafka.tgz").write_bytes(CONTENT)
    (tmp_path / "release.part").write_bytes(there)
    assert start_of(tmp_path / "kafka.tgz", module.state(str(tmp_path / "release"), SUM)) == start
