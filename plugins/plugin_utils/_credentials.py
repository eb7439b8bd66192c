# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: may change at any time, it is no promise to other collections.
"""Files of credentials on the control node, one for each gateway, in one folder.

A file is YAML with the one key `passwords`, user -> password. It may be encrypted by ansible-vault as a whole, and then
is written back with the same secret.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleError
from ansible.parsing.vault import VaultLib
from ansible_collections.raspi.kafka.plugins.module_utils._whole_file import write_whole

_HEAD = """\
# Passwords of the MQTT users of {host}. Whoever reads this can publish as these devices, so keep it out of version
# control, or encrypt the whole file with ansible-vault. Keep a copy: there is no other one, and the Pi has only hashes.
# raspi.kafka writes it anew when users change; comments that you add are lost then.
"""
_PASSWORD_BYTES = 24


class CredentialsError(Exception):
    """A sentence for the user: which file cannot be used, why, and what to do."""


@dataclass(frozen=True)
class Seal:
    """By which secret of ansible-vault a file is encrypted."""

    vault_id: str
    secret: Any


@dataclass(frozen=True)
class File:
    """One file: passwords by user, in its order. `loose`: others than its owner may read it."""

    passwords: Mapping[str, str] = field(default_factory=dict)
    seal: Seal | None = None
    there: bool = False
    loose: bool = False


@dataclass(frozen=True)
class Plan:
    """What a file has to become."""

    passwords: Mapping[str, str]
    added: list[str]
    removed: list[str]
    seal: Seal | None
    changed: bool


def parse(text: str, path: Path) -> dict[str, str]:
    """The passwords that a text holds.

    :raises CredentialsError: it is formed otherwise.
    """
    try:
        found = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        # Its text could quote a password.
        place = getattr(error, "problem_mark", None)
        line = f" in line {place.line + 1}" if place else ""
        raise CredentialsError(
            f"{path} is no plain YAML{line}. Mend it, or encrypt the whole file with ansible-vault encrypt."
        ) from None
    passwords = found.get("passwords", {}) if isinstance(found, dict) else None
    others = set(found) - {"passwords"} if isinstance(found, dict) else set()
    if others or not isinstance(passwords, dict):
        raise CredentialsError(f"{path} must have the one key passwords, and below it lines of user: password.")
    bad = [str(name) for name, one in passwords.items() if not (isinstance(name, str) and isinstance(one, str) and one)]
    if bad:
        raise CredentialsError(f"{path} has no text as name or password of {', '.join(bad)}. Put both in quotes.")
    return passwords


def render(passwords: Mapping[str, str], host: str) -> str:
    """What stands in a file."""
    # In quotes, as JSON writes them and YAML reads them: a device may be called no or 007.
    lines = [f"  {json.dumps(name)}: {json.dumps(one)}\n" for name, one in passwords.items()]
    return _HEAD.format(host=host) + "passwords:" + ("\n" if lines else " {}\n") + "".join(lines)


def plan(
    files: Mapping[str, File], host: str, users: Iterable[str], devices: Iterable[str], absent: Iterable[str]
) -> Plan:
    """Compare the files of all hosts with what `host` needs.

    :param users: get a password that is this host's own.
    :param devices: get the one that they have on another host, where they have one.
    :raises CredentialsError: other hosts have different ones.
    """
    mine = files.get(host, File())
    gone = set(absent)
    removed = [name for name in mine.passwords if name in gone]
    passwords = {name: one for name, one in mine.passwords.items() if name not in gone}
    added = []
    for name in devices:
        if name not in passwords:
            passwords[name] = of_others(files, host, name) or secrets.token_urlsafe(_PASSWORD_BYTES)
            added.append(name)
    for name in users:
        if name not in passwords:
            passwords[name] = secrets.token_urlsafe(_PASSWORD_BYTES)
            added.append(name)
    seal = mine.seal if mine.there else next((one.seal for one in files.values() if one.seal), None)
    return Plan(passwords, added, removed, seal, bool(added or removed or mine.loose))


def of_others(files: Mapping[str, File], host: str, name: str) -> str:
    """The password that a device has on other hosts; empty where it has none.

    :raises CredentialsError: it has several.
    """
    others = {other: file.passwords for other, file in sorted(files.items()) if other != host}
    having = {other: passwords[name] for other, passwords in others.items() if name in passwords}
    if len(set(having.values())) > 1:
        raise CredentialsError(
            f"{name} has different passwords in the files of {' and '.join(having)}, and {host} should take the same. "
            "Make them alike, or write the one of this host into its file."
        )
    return next(iter(having.values()), "")


def read(path: Path, vault: VaultLib) -> File:
    """Read a file, decrypted where it is encrypted.

    :raises CredentialsError: it cannot be read, or not be decrypted.
    """
    try:
        data = path.read_bytes()
        loose = bool(path.stat().st_mode & 0o077)
    except FileNotFoundError:
        return File()
    except OSError as error:
        raise CredentialsError(f"Cannot read {path}: {error.strerror}.") from error
    seal = None
    if vault.is_encrypted(data):
        try:
            data, vault_id, secret = vault.decrypt_and_get_vault_id(data)
        except AnsibleError as error:
            raise CredentialsError(
                f"{path} is encrypted, and no vault secret of this run opens it. Give the one that it was encrypted "
                "with: --ask-vault-pass or --vault-password-file."
            ) from error
        seal = Seal(vault_id, secret)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise CredentialsError(f"{path} is no text of UTF-8.") from error
    return File(parse(text, path), seal, there=True, loose=loose)


def read_all(folder: Path, vault: VaultLib) -> dict[str, File]:
    """Host -> its file, for all files of the folder."""
    return {path.stem: read(path, vault) for path in sorted(folder.glob("*.yml"))}


def write(path: Path, made: Plan, vault: VaultLib) -> None:
    """Write a file whole, readable by its owner alone."""
    text: str | bytes = render(made.passwords, path.stem)
    if made.seal:
        text = vault.encrypt(text, secret=made.seal.secret, vault_id=made.seal.vault_id)
    write_whole(str(path), text if isinstance(text, bytes) else text.encode(), 0o600)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes out: each host of a play is served by its own, and all look into each other's files."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
