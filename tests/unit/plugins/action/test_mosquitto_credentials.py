"""Passwords on the control node: drawn once, never shown, never lost; real files, and a real vault."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.raspi.kafka.plugins.action import mosquitto_credentials
from ansible_collections.raspi.kafka.plugins.action.mosquitto_credentials import ActionModule
from ansible_collections.raspi.kafka.plugins.plugin_utils._credentials import (
    CredentialsError,
    File,
    Plan,
    parse,
    plan,
    render,
)

SECRET = VaultSecret(b"the secret of the run")


def ensure(path: Path, check: bool = False, secrets: Any = (), **names: list[str]) -> dict[str, Any]:
    """Run the action for one file."""
    task = MagicMock(args={"path": str(path), **names}, check_mode=check, async_val=0)
    loader = MagicMock(_vault=VaultLib([("default", one) for one in secrets]))
    action = ActionModule(task, MagicMock(), MagicMock(), loader, MagicMock(), MagicMock())
    action.validate_argument_spec = lambda argument_spec: (  # it wants a whole templar
        None,
        {name: task.args.get(name, one.get("default")) for name, one in argument_spec.items()},
    )
    return action.run(task_vars={})


def passwords(path: Path) -> dict[str, str]:
    return yaml.safe_load(path.read_text())["passwords"]


def write(path: Path, **users: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(render(users, path.stem))
    path.chmod(0o600)


def vaulted(path: Path, **users: str) -> None:
    write(path, **users)
    path.write_bytes(VaultLib([("default", SECRET)]).encrypt(path.read_text(), secret=SECRET))


def test_new_users_get_passwords_and_a_second_run_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "credentials" / "pi1.yml"
    first = ensure(path, users=["raspi-kafka-bridge"], devices=["kitchen"])
    assert (first["changed"], first["added"]) == (True, ["kitchen", "raspi-kafka-bridge"])
    before = path.read_bytes()
    second = ensure(path, users=["raspi-kafka-bridge"], devices=["kitchen"])
    assert (second["changed"], second["names"]) == (False, ["kitchen", "raspi-kafka-bridge"])
    assert path.read_bytes() == before
    assert all(len(one) == 32 for one in passwords(path).values())
    assert len(set(passwords(path).values())) == 2


def test_only_its_owner_may_read_file_and_folder(tmp_path: Path) -> None:
    path = tmp_path / "credentials" / "pi1.yml"
    ensure(path, users=["a"])
    assert [one.stat().st_mode & 0o777 for one in (path, path.parent)] == [0o600, 0o700]
    assert os.listdir(path.parent) == ["pi1.yml"]


def test_a_file_that_others_may_read_is_mended(tmp_path: Path) -> None:
    path = tmp_path / "credentials" / "pi1.yml"
    write(path, a="x")
    path.chmod(0o644)
    assert ensure(path, users=["a"])["changed"]
    assert (path.stat().st_mode & 0o777, passwords(path)) == (0o600, {"a": "x"})


def test_no_password_is_in_the_result(tmp_path: Path) -> None:
    path = tmp_path / "pi1.yml"
    write(path, old="password-of-old")
    told = json.dumps(ensure(path, users=["new"]))
    assert [one for one in passwords(path).values() if one in told] == []


def test_a_dry_run_makes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "credentials" / "pi1.yml"
    result = ensure(path, check=True, users=["a"])
    assert (result["changed"], result["added"], result["diff"]["after"]) == (True, ["a"], "a\n")
    assert os.listdir(tmp_path) == []


def test_a_device_has_the_same_password_on_all_hosts_and_a_service_its_own(tmp_path: Path) -> None:
    first, second = tmp_path / "pi1.yml", tmp_path / "pi2.yml"
    for path in (first, second):
        ensure(path, users=["service"], devices=["kitchen"])
    assert passwords(first)["kitchen"] == passwords(second)["kitchen"]
    assert passwords(first)["service"] != passwords(second)["service"]


def test_hosts_at_once_agree_on_a_new_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / f"pi{number}.yml" for number in range(8)]
    # If nothing kept them apart, all would have looked into the files before one of them plans.
    together = threading.Barrier(len(paths))

    def plan_together(*arguments: Any) -> Plan:
        with contextlib.suppress(threading.BrokenBarrierError):
            together.wait(1)
        return plan(*arguments)

    monkeypatch.setattr(mosquitto_credentials, "plan", plan_together)
    threads = [threading.Thread(target=ensure, args=(path,), kwargs={"devices": ["kitchen"]}) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({passwords(path)["kitchen"] for path in paths}) == 1


def test_hosts_that_disagree_are_named() -> None:
    files = {"pi1": File({"kitchen": "a"}), "pi2": File({"kitchen": "b"}), "pi3": File()}
    with pytest.raises(CredentialsError, match="kitchen has different passwords in the files of pi1 and pi2, and pi3"):
        plan(files, "pi3", [], ["kitchen"], [])
    assert plan(files, "pi1", [], ["kitchen"], []).changed is False


def test_all_that_is_not_asked_for_stays(tmp_path: Path) -> None:
    path = tmp_path / "pi1.yml"
    write(path, bath="b", kitchen="k", **{"007": "bond", "no": "yes"})
    ensure(path, users=["new"], absent=["bath", "nobody"])
    left = passwords(path)
    assert {name: one for name, one in left.items() if name != "new"} == {"kitchen": "k", "007": "bond", "no": "yes"}


def test_an_encrypted_file_is_written_back_encrypted_by_the_same_secret(tmp_path: Path) -> None:
    path = tmp_path / "pi1.yml"
    vaulted(path, kitchen="k")
    before = path.read_bytes()
    assert not ensure(path, secrets=[SECRET], devices=["kitchen"])["changed"]
    assert path.read_bytes() == before
    assert ensure(path, secrets=[VaultSecret(b"another"), SECRET], users=["new"])["changed"]
    text = VaultLib([("default", SECRET)]).decrypt(path.read_bytes())
    assert yaml.safe_load(text)["passwords"]["kitchen"] == "k"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_new_file_is_encrypted_as_the_others_are(tmp_path: Path) -> None:
    vaulted(tmp_path / "pi1.yml", kitchen="k")
    ensure(tmp_path / "pi2.yml", secrets=[SECRET], devices=["kitchen"])
    text = VaultLib([("default", SECRET)]).decrypt((tmp_path / "pi2.yml").read_bytes())
    assert yaml.safe_load(text)["passwords"] == {"kitchen": "k"}


@pytest.mark.parametrize("secrets", [[], [VaultSecret(b"wrong")]])
def test_an_encrypted_file_without_its_secret_is_a_sentence_and_stays(tmp_path: Path, secrets: Any) -> None:
    path = tmp_path / "pi1.yml"
    vaulted(path, kitchen="k")
    before = path.read_bytes()
    result = ensure(path, secrets=secrets, users=["new"])
    assert result["failed"]
    assert result["msg"].startswith(f"{path} is encrypted, and no vault secret of this run opens it. Give the one")
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("passwords: [", "is no plain YAML in line 1"),
        ("passwords: {a: !vault x}", "is no plain YAML in line 1"),
        ("users: {a: b}", "must have the one key passwords"),
        ("- a", "must have the one key passwords"),
        ("passwords: [a]", "must have the one key passwords"),
        ("passwords: {a: 7, b: x, c: }", "has no text as name or password of a, c."),
        ("passwords: {7: x}", "has no text as name or password of 7."),
    ],
)
def test_a_file_that_was_spoilt_by_hand_is_refused_without_showing_it(text: str, says: str) -> None:
    with pytest.raises(CredentialsError, match=r"^pi1\.yml ") as refused:
        parse(text, Path("pi1.yml"))
    assert says in str(refused.value)


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "passwords: {}\n", render({}, "pi1")])
def test_an_empty_file_has_no_users(text: str) -> None:
    assert parse(text, Path("pi1.yml")) == {}


def test_what_is_written_is_read_the_same() -> None:
    users = {"kitchen": 'a"b\\c: # ü', "null": "~", "1e3": "no"}
    assert parse(render(users, "pi1"), Path("pi1.yml")) == users


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = ensure(tmp_path / "file" / "pi1.yml", users=["a"])
    assert result["failed"]
    assert result["msg"].startswith(f"Cannot write {tmp_path}/file/pi1.yml:")


def test_what_was_begun_is_removed_where_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_source: str, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "pi1.yml"
    write(path, kitchen="k")
    monkeypatch.setattr("os.replace", full)
    assert ensure(path, users=["new"])["msg"].startswith(f"Cannot write {path}: No space left on device.")
    assert os.listdir(tmp_path) == ["pi1.yml"]
    assert passwords(path) == {"kitchen": "k"}
