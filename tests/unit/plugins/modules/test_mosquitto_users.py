"""Users of Mosquitto: hashes that its own program makes, and a file that changes only where it must."""

from __future__ import annotations

import getpass
import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.modules import mosquitto_users
from ansible_collections.raspi.kafka.plugins.modules.mosquitto_users import (
    UsersError,
    check,
    diff,
    fits,
    hashed,
    place_differs,
    plan,
    write,
)

from tests.module_args import patch_module_args

# What mosquitto_passwd 2.0.11 and 2.0.21 wrote for the password s3cret.
KITCHEN = (
    "$7$101$5zKcfn4AXsBaANCL$5CPLzaUg1OnZyl9gr6wdNiEPs/UsCaKc+Cw4mmtyyG+XUCuIfDSbh8z5eEn+2b7n2jt9Bm9CGZiAo2pDoQLclA=="
)
ME = getpass.getuser()


def module(path: Path, capsys: pytest.CaptureFixture[str], **args: Any) -> dict[str, Any]:
    """Run the module as Ansible does; returns its result."""
    given = {"path": str(path), "owner": ME, **args}
    with patch_module_args(given), pytest.raises(SystemExit):
        mosquitto_users.main()
    return json.loads(capsys.readouterr().out)


def test_a_hash_of_mosquittos_own_program_fits_its_password() -> None:
    assert fits(KITCHEN, "s3cret")
    assert not fits(KITCHEN, "s3cret ")


def test_a_hash_has_the_form_of_mosquittos_own() -> None:
    entry = hashed("s3cret", b"0123456789ab")
    assert [len(part) for part in entry.split("$")] == [len(part) for part in KITCHEN.split("$")]
    assert entry.startswith("$7$101$")
    assert fits(entry, "s3cret")


def test_other_iterations_fit_as_well() -> None:
    assert fits(hashed("s3cret", b"salt", 7), "s3cret")


@pytest.mark.parametrize(
    "entry", ["", "s3cret", "$6$salt$hash", "$7$x$c2FsdA==$aGFzaA==", "$7$101$?$?", "$7$-1$c2E=$aA=="]
)
def test_what_is_no_such_hash_fits_nothing(entry: str) -> None:
    assert not fits(entry, "s3cret")


def test_a_right_hash_stays_and_a_wrong_one_is_made_anew() -> None:
    text = f"kitchen:{KITCHEN}\nbath:{KITCHEN}\n"
    made = plan(text, {"kitchen": "s3cret", "bath": "other"}, [])
    first, second = made.text.splitlines()
    assert first == f"kitchen:{KITCHEN}"
    assert fits(second.partition(":")[2], "other")
    assert (made.added, made.updated, made.removed) == ([], ["bath"], [])


def test_new_users_come_last_in_the_order_of_their_names() -> None:
    made = plan(f"kitchen:{KITCHEN}\n", {"b": "1", "a": "2"}, [])
    assert made.users == ["kitchen", "a", "b"]
    assert [line.partition(":")[0] for line in made.text.splitlines()] == made.users


def test_users_that_are_not_named_and_comments_stay() -> None:
    text = f"# mine\nkitchen:{KITCHEN}\n"
    made = plan(text, {}, ["nobody"])
    assert (made.text, made.before, made.removed) == (text, ["kitchen"], [])


def test_absent_users_go() -> None:
    made = plan(f"kitchen:{KITCHEN}\nbath:{KITCHEN}\n", {}, ["kitchen"])
    assert (made.text, made.users, made.removed) == (f"bath:{KITCHEN}\n", ["bath"], ["kitchen"])


def test_two_users_with_one_password_do_not_show_it() -> None:
    first, second = plan("", {"a": "s3cret", "b": "s3cret"}, []).text.splitlines()
    assert first.partition(":")[2] != second.partition(":")[2]


def test_a_diff_shows_names_and_no_hashes() -> None:
    shown = diff(plan(f"kitchen:{KITCHEN}\nbath:{KITCHEN}\n", {"kitchen": "new", "x": "y"}, ["bath"]))
    assert shown == {"before": "kitchen\nbath\n", "after": "kitchen (new password)\nx\n"}


@pytest.mark.parametrize("name", ["", "a:b", "#a", "a\nb"])
def test_a_name_that_would_break_the_file_is_refused(name: str) -> None:
    with pytest.raises(UsersError, match="cannot be a user"):
        check({name: "x"}, [], dry=False)
    with pytest.raises(UsersError, match="cannot be a user"):
        check({}, [name], dry=False)


def test_a_user_cannot_be_wanted_and_absent() -> None:
    with pytest.raises(UsersError, match="a cannot be wanted and absent"):
        check({"a": "x"}, ["a"], dry=True)


def test_an_empty_password_is_refused_but_in_a_dry_run() -> None:
    check({"a": ""}, [], dry=True)
    with pytest.raises(UsersError, match="a has no password"):
        check({"a": ""}, [], dry=False)


def test_the_file_is_written_for_its_owner_alone_and_then_nothing_is_left_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "passwords"
    first = module(path, capsys, users={"kitchen": "s3cret"})
    assert (first["changed"], first["added"], first["users"]) == (True, ["kitchen"], ["kitchen"])
    assert path.stat().st_mode & 0o7777 == 0o600
    before = path.read_text()
    assert module(path, capsys, users={"kitchen": "s3cret"})["changed"] is False
    assert path.read_text() == before
    assert os.listdir(tmp_path) == ["passwords"]


def test_a_dry_run_plans_the_same_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = module(tmp_path / "passwords", capsys, users={"kitchen": ""}, _ansible_check_mode=True)
    assert (result["changed"], result["added"]) == (True, ["kitchen"])
    assert os.listdir(tmp_path) == []


def test_a_file_that_others_may_read_is_mended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "passwords"
    module(path, capsys, users={"kitchen": "s3cret"})
    path.chmod(0o644)
    assert module(path, capsys, users={"kitchen": "s3cret"})["changed"] is True
    assert not place_differs(str(path), ME)


def test_no_password_and_no_hash_is_in_the_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "passwords"
    told = json.dumps(module(path, capsys, users={"kitchen": "s3cret-of-the-kitchen"}))
    assert "s3cret" not in told
    assert "$7$" not in told
    assert "kitchen" in told


def test_where_there_is_no_owner_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsersError, match="there is no nobody-has-this-name"):
        write(str(tmp_path / "passwords"), "a:b\n", "nobody-has-this-name")
    assert os.listdir(tmp_path) == []


def test_where_there_is_no_folder_it_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = module(tmp_path / "no" / "passwords", capsys, users={"kitchen": "s3cret"})
    assert result["failed"]
    assert result["msg"].startswith(f"Cannot place {tmp_path}/no/passwords: No such file or directory.")


def test_a_file_that_is_no_text_is_a_sentence_and_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "passwords"
    path.write_bytes(b"kitchen:\xff\n")
    result = module(path, capsys, users={"kitchen": "s3cret"})
    assert result["failed"]
    assert result["msg"].startswith(f"Cannot read {path}: ")
    assert path.read_bytes() == b"kitchen:\xff\n"


def test_what_was_begun_is_removed_where_it_fails(tmp_path: Path) -> None:
    (tmp_path / "passwords" / "full").mkdir(parents=True)
    with pytest.raises(UsersError, match="Cannot place"):
        write(str(tmp_path / "passwords"), "a:b\n", ME)
    assert os.listdir(tmp_path) == ["passwords"]
