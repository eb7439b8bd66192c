"""Directories and files on a real file system; owner and group are those of whoever runs the tests."""

from __future__ import annotations

import grp
import json
import os
import pwd
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.modules import host_files
from ansible_collections.raspi.kafka.plugins.modules.host_files import Entry, PlaceError, apply, diff, parse, plan

from tests.module_args import patch_module_args

ME = pwd.getpwuid(os.getuid()).pw_name
MINE = grp.getgrgid(os.getgid()).gr_name


def folder(path: Path, mode: int = 0o750) -> Entry:
    return Entry(str(path), ME, MINE, mode)


def text(path: Path, content: str = "node.id=1\n", mode: int = 0o640) -> Entry:
    return Entry(str(path), ME, MINE, mode, content.encode())


def place(entry: Entry) -> None:
    apply(plan(entry))


def test_options_become_entries_directories_first() -> None:
    folders = [{"paths": ["/a"], "owner": "kafka", "mode": "0750"}]
    files = [{"path": "/a/b", "content": "é", "owner": "root", "group": "kafka", "mode": "640"}]
    assert parse(folders, files) == [
        Entry("/a", "kafka", "kafka", 0o750),
        Entry("/a/b", "root", "kafka", 0o640, "é".encode()),
    ]


def test_a_mode_must_be_octal() -> None:
    with pytest.raises(PlaceError, match=r"0999 of \['/a'\] is no octal number"):
        parse([{"paths": ["/a"], "owner": "root", "mode": "0999"}], [])


def test_what_is_missing_is_made_and_then_nothing_is_left_to_do(tmp_path: Path) -> None:
    for entry in (folder(tmp_path / "ssd" / "etc"), text(tmp_path / "ssd" / "etc" / "server.properties")):
        place(entry)
        assert not plan(entry).changed
    assert (tmp_path / "ssd" / "etc").stat().st_mode & 0o7777 == 0o750
    assert (tmp_path / "ssd" / "etc" / "server.properties").read_text() == "node.id=1\n"
    assert os.listdir(tmp_path / "ssd" / "etc") == ["server.properties"]


@pytest.mark.parametrize("damage", ["content", "mode"])
def test_what_differs_is_mended(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "file"
    place(text(path))
    if damage == "content":
        path.write_text("node.id=2\n")
    else:
        path.chmod(0o666)
    change = plan(text(path))
    assert (change.rewrite, change.attributes) == (damage == "content", damage == "mode")
    apply(change)
    assert not plan(text(path)).changed


def test_a_directory_keeps_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "00.log").write_text("records")
    place(folder(tmp_path / "data"))
    assert (tmp_path / "data" / "00.log").read_text() == "records"
    assert not plan(folder(tmp_path / "data")).changed


def test_another_kind_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PlaceError, match=r"file is there and is no directory\. Move it away"):
        plan(folder(tmp_path / "file"))
    with pytest.raises(PlaceError, match="is there and is no file"):
        plan(text(tmp_path))


def test_a_missing_folder_or_user_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(PlaceError, match=r"Cannot place .*No such file or directory"):
        place(text(tmp_path / "nowhere" / "file"))
    with pytest.raises(PlaceError, match="there is no nobody-knows:x on this host"):
        place(Entry(str(tmp_path / "new"), "nobody-knows", "x", 0o755))


def test_a_symlink_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    place(text(tmp_path / "link", "new"))
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


@pytest.mark.parametrize("relative", [True, False])
def test_a_directory_of_records_may_be_a_link_of_its_owner_to_another_disk(tmp_path: Path, relative: bool) -> None:
    (tmp_path / "ssd" / "kafka").mkdir(parents=True)
    (tmp_path / "data").symlink_to("ssd/../ssd/kafka" if relative else tmp_path / "ssd" / "kafka")
    place(folder(tmp_path / "data"))
    assert (tmp_path / "data").is_symlink()
    assert (tmp_path / "ssd" / "kafka").stat().st_mode & 0o7777 == 0o750


def test_a_link_of_another_user_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As user kafka could lead root to /etc, from the folder that it owns."""
    (tmp_path / "etc" / "ssh").mkdir(parents=True, mode=0o755)
    (tmp_path / "tmp").symlink_to("etc")
    if os.getuid() == 0:
        os.chown(tmp_path / "tmp", 12345, 12345, follow_symlinks=False)
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    for path in (tmp_path / "tmp", tmp_path / "tmp" / "ssh"):
        with pytest.raises(PlaceError, match=r"tmp is a link that root did not make\. Remove it"):
            plan(folder(path))


def test_a_link_that_took_the_place_after_the_look_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "etc").mkdir(mode=0o755)
    (tmp_path / "tmp").mkdir(mode=0o755)
    change = plan(folder(tmp_path / "tmp"))
    (tmp_path / "tmp").rmdir()
    (tmp_path / "tmp").symlink_to("etc")
    monkeypatch.setattr(host_files, "reach", str)
    with pytest.raises(PlaceError, match="Cannot place"):
        apply(change)
    assert (tmp_path / "etc").stat().st_mode & 0o7777 == 0o755


def test_links_that_lead_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(PlaceError, match="leads in a circle"):
        plan(folder(tmp_path / "a"))


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place(text(tmp_path / "file", "old"))

    def broken(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(PlaceError, match="No space left on device"):
        place(text(tmp_path / "file", "new"))
    assert (tmp_path / "file").read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_diff_shows_content_or_attributes(tmp_path: Path) -> None:
    place(text(tmp_path / "file", "a\n"))
    assert diff(plan(text(tmp_path / "file", "b\n")))["before"] == "a\n"
    shown = diff(plan(text(tmp_path / "file", "a\n", 0o600)))
    assert (shown["before"], shown["after"]) == (f"{ME}:{MINE} 0640\n", f"{ME}:{MINE} 0600\n")


def test_check_mode_says_what_would_change_and_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [{"path": str(tmp_path / "new" / "file"), "content": "x"}]
    folders = [{"paths": [str(tmp_path / "new")]}]
    options: dict[str, Any] = {"files": files, "directories": folders, "_ansible_check_mode": True}
    with patch_module_args(options), pytest.raises(SystemExit):
        host_files.main()
    result = json.loads(capsys.readouterr().out)
    assert result["changed_paths"] == [str(tmp_path / "new"), str(tmp_path / "new" / "file")]
    assert result["before"] == {}
    assert os.listdir(tmp_path) == []
