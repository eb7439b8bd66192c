"""The passwords beside the inventory: lost, on another computer, and encrypted."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import SET, OnPi

from tests.hosts import cache, host
from tests.hosts.deployed import extra, refused
from tests.hosts.mqtt import connected, passwords
from tests.hosts.play import playbook

BOOK = "playbooks/device.yml"
VAULT = ("--vault-password-file",)


@pytest.fixture
def folder(device) -> Iterator[Path]:
    """Return the folder, which has a device; it is put back as it was."""
    device("attic")
    place = cache.directory(SET) / "credentials"
    kept = place.with_name("kept")
    shutil.copytree(place, kept)
    yield place
    shutil.rmtree(place, ignore_errors=True)
    kept.rename(place)


def test_they_are_for_their_owner_alone(folder: Path) -> None:
    assert [oct(path.stat().st_mode & 0o777) for path in (folder, folder / "pi1.yml")] == ["0o700", "0o600"]


@pytest.mark.parametrize("book", ["site.yml", BOOK])
def test_a_computer_without_them_changes_nothing_and_says_so(pi: host.Host, folder: Path, book: str) -> None:
    shutil.rmtree(folder)
    text = refused(SET, pi, *extra(**({"add": "new"} if book == BOOK else {})), book=book)
    assert "pi1 has the MQTT users" in text
    assert "attic" in text
    assert "Copy that file from the computer that it was made on" in text


def test_a_device_that_another_computer_has_added_is_not_lost(pi: host.Host, folder: Path) -> None:
    lines = (folder / "pi1.yml").read_text().splitlines(keepends=True)
    others = [line for line in lines if '"attic":' not in line]
    assert len(others) == len(lines) - 1
    (folder / "pi1.yml").write_text("".join(others))
    assert "pi1 has the MQTT users attic" in refused(SET, pi)


def test_a_changed_password_is_applied(pi: host.Host, folder: Path) -> None:
    old = passwords(SET)["attic"]
    with connected(pi, "attic", old) as attic:
        path = folder / "pi1.yml"
        path.write_text(path.read_text().replace(old, "another-password"))
        assert playbook(SET).code == 0
        assert attic.ended.wait(30), "the connection by the old password is cut"
    with connected(pi, "attic", "another-password") as attic:
        assert attic.publish("devices/attic/telemetry", b"1").value == 0
    path.write_text(path.read_text().replace("another-password", old))
    assert playbook(SET).code == 0


def test_an_encrypted_file_stays_encrypted_and_is_read_with_its_secret_only(
    folder: Path, tmp_path: Path, on: OnPi
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("of the tests\n")
    path = folder / "pi1.yml"
    command = ["ansible-vault", "encrypt", str(path), "--vault-password-file", str(secret)]
    subprocess.run(command, check=True, timeout=60, capture_output=True)
    without = playbook(SET, "-e", json.dumps({"add": "loft"}), book=BOOK)
    assert without.code != 0
    assert "is encrypted, and no vault secret of this run opens it" in without.text
    added = playbook(SET, *VAULT, str(secret), "-e", json.dumps({"add": "loft"}), book=BOOK)
    assert added.code == 0, added.output
    assert path.read_text().startswith("$ANSIBLE_VAULT")
    assert "loft:" in on("cat /etc/raspi-kafka/mosquitto/passwords")
    gone = playbook(SET, *VAULT, str(secret), "-e", json.dumps({"revoke": "loft"}), book=BOOK)
    assert gone.code == 0, gone.output
