"""The settings of a board: what is told, what its owner wrote, and no password where somebody else reads."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.raspi.kafka.plugins.action.device_settings import ActionModule

SECRET = VaultSecret(b"the secret of the run")
WIFI = {"wifi_ssid": "home", "wifi_password": "the-wifi-password"}
PASSWORD = "the password of the kitchen"  # noqa: S105 - it protects nothing


def ensure(root: Path, check: bool = False, **more: Any) -> dict[str, Any]:
    """Run the action for the board in the kitchen."""
    args = {
        "path": str(root / "kitchen.json"),
        "device": "kitchen",
        "brokers": ["192.0.2.5:1883"],
        "credentials": str(root / "pi1.yml"),
        **more,
    }
    task = MagicMock(args=args, check_mode=check, async_val=0)
    loader = MagicMock(_vault=VaultLib([("default", SECRET)]))
    action = ActionModule(task, MagicMock(), MagicMock(), loader, MagicMock(), MagicMock())
    action.validate_argument_spec = lambda argument_spec: (  # it wants a whole templar
        None,
        {name: args.get(name) for name in argument_spec},
    )
    return action.run(task_vars={})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "pi1.yml").write_text(json.dumps({"passwords": {"kitchen": PASSWORD}}))
    return tmp_path


def settings(root: Path) -> dict[str, Any]:
    return json.loads((root / "kitchen.json").read_text())


def test_a_board_is_told_what_it_needs_and_what_its_owner_has_to_write(root: Path) -> None:
    result = ensure(root)
    assert (result["changed"], result["missing"]) == (True, ["wifi_ssid", "wifi_password"])
    assert settings(root) == {
        "device": "kitchen",
        "password": PASSWORD,
        "brokers": ["192.0.2.5:1883"],
        "wifi_ssid": "",
        "wifi_password": "",
        "ntp": "pool.ntp.org",
        "interval_s": 10,
    }
    assert (root / "kitchen.json").stat().st_mode & 0o777 == 0o600


def test_a_second_run_changes_nothing(root: Path) -> None:
    ensure(root)
    before = (root / "kitchen.json").stat().st_mtime_ns
    assert ensure(root)["changed"] is False
    assert (root / "kitchen.json").stat().st_mtime_ns == before


def test_what_the_owner_wrote_stays(root: Path) -> None:
    ensure(root)
    written = {**settings(root), "wifi_ssid": "home", "wifi_password": "w", "interval_s": 1, "sensor_pin": 4}
    (root / "kitchen.json").write_text(json.dumps(written))
    result = ensure(root, brokers=["192.0.2.6:1883"])
    assert (result["changed"], result["missing"]) == (True, [])
    assert settings(root) == {**written, "brokers": ["192.0.2.6:1883"]}


def test_the_wifi_that_is_told_is_taken(root: Path) -> None:
    assert ensure(root, **WIFI)["missing"] == []
    assert settings(root)["wifi_password"] == WIFI["wifi_password"]


def test_no_password_is_in_the_result(root: Path) -> None:
    said = json.dumps([ensure(root, **WIFI), ensure(root)])
    assert PASSWORD not in said
    assert "the-wifi-password" not in said
    assert "(kept secret)" in said


def test_a_file_that_others_may_read_is_closed(root: Path) -> None:
    ensure(root)
    os.chmod(root / "kitchen.json", 0o644)
    assert ensure(root)["changed"] is True
    assert (root / "kitchen.json").stat().st_mode & 0o777 == 0o600


def test_a_dry_run_writes_nothing_and_may_lack_the_password(root: Path) -> None:
    (root / "pi1.yml").unlink()
    assert ensure(root, check=True)["changed"] is True
    assert not (root / "kitchen.json").exists()


def test_encrypted_credentials_are_read(root: Path) -> None:
    path = root / "pi1.yml"
    path.write_bytes(VaultLib([("default", SECRET)]).encrypt(path.read_text(), secret=SECRET))
    ensure(root)
    assert settings(root)["password"] == PASSWORD


@pytest.mark.parametrize("text", ["no JSON: s3cret", "[]", '{"a": "s3cret"}'])
def test_another_file_is_not_overwritten_and_not_quoted(root: Path, text: str) -> None:
    (root / "kitchen.json").write_text(text)
    result = ensure(root)
    assert result["failed"]
    assert "Remove it, or name another. Nothing was written." in result["msg"]
    assert "s3cret" not in result["msg"]
    assert (root / "kitchen.json").read_text() == text


def test_the_file_of_another_device_is_not_overwritten(root: Path) -> None:
    ensure(root)
    before = settings(root)
    (root / "pi1.yml").write_text(json.dumps({"passwords": {"kitchen": PASSWORD, "garage": "another"}}))
    result = ensure(root, device="garage")
    assert result["failed"]
    assert "has the settings of the device kitchen, not of garage. Name another file. Nothing was" in result["msg"]
    assert settings(root) == before


def test_a_device_without_a_password_is_told(root: Path) -> None:
    assert "has no password of bath. Add the device first. Nothing" in ensure(root, device="bath")["msg"]


def test_a_folder_that_is_not_there_is_told(root: Path) -> None:
    assert "Cannot write" in ensure(root, path=str(root / "none" / "kitchen.json"))["msg"]
