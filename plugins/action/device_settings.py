# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.raspi.kafka.plugins.module_utils._whole_file import write_whole
from ansible_collections.raspi.kafka.plugins.plugin_utils._credentials import CredentialsError, read

_SPEC = {
    "path": {"type": "path", "required": True},
    "device": {"type": "str", "required": True},
    "brokers": {"type": "list", "elements": "str", "required": True},
    "credentials": {"type": "path", "required": True},
    "wifi_ssid": {"type": "str"},
    "wifi_password": {"type": "str", "no_log": True},
}
# What owners are likely to change; the firmware knows these defaults too, and some more settings.
_BEGINNING = {"wifi_ssid": "", "wifi_password": "", "ntp": "pool.ntp.org", "interval_s": 10}
_SECRET = ("password", "wifi_password")
_BY_HAND = ("wifi_ssid", "wifi_password")


class SettingsFileError(Exception):
    """A sentence for the user: which file cannot be used, why, and what to do."""


def current(path: Path) -> dict[str, Any]:
    """What a file has; nothing where it is not there.

    :raises SettingsFileError: it is none of ours.
    """
    try:
        said = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError:  # the text of the error could quote a password
        raise SettingsFileError(f"{path} is no JSON, so no settings of a device. Remove it, or name another.") from None
    if not isinstance(said, dict) or (said and "device" not in said):
        raise SettingsFileError(f"{path} has no settings of a device. Remove it, or name another.")
    return said


def plan(before: Mapping[str, Any], args: Mapping[str, Any], password: str) -> dict[str, Any]:
    """What the file has to be: what is told, then what it has, then a beginning."""
    given = {name: args[name] for name in _BY_HAND if args.get(name) is not None}
    told = {"device": args["device"], "password": password, "brokers": args["brokers"], **given}
    return {**told, **_BEGINNING, **before, **told}


def shown(settings: Mapping[str, Any]) -> str:
    """The text of a file for ``--diff``: of a password whether it is there."""
    safe = {name: "(kept secret)" if name in _SECRET and one else one for name, one in settings.items()}
    return render(safe) if safe else ""


def render(settings: Mapping[str, Any]) -> str:
    """What stands in a file."""
    return json.dumps(settings, indent=2) + "\n"


class ActionModule(ActionBase):
    """Works on the control node; the documentation stands in the module of the same name."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        _result, args = self.validate_argument_spec(argument_spec=_SPEC)
        path = Path(args["path"]).expanduser().absolute()
        try:
            return {**result, **self.ensure(path, args)}
        except (CredentialsError, SettingsFileError) as error:
            return {**result, "failed": True, "msg": f"{error} Nothing was written."}
        except OSError as error:
            return {**result, "failed": True, "msg": f"Cannot write {path}: {error.strerror}. Nothing was written."}

    def ensure(self, path: Path, args: dict[str, Any]) -> dict[str, Any]:
        """Plan, and write what has changed.

        :raises CredentialsError: the password cannot be read.
        :raises SettingsFileError: the file is none of ours.
        """
        before = current(path)
        if before and before["device"] != args["device"]:
            raise SettingsFileError(
                f"{path} has the settings of the device {before['device']}, not of {args['device']}. Name another file."
            )
        passwords = read(Path(args["credentials"]), self._loader._vault).passwords
        password = passwords.get(args["device"], before.get("password", ""))
        if not password and not self._task.check_mode:
            raise SettingsFileError(f"{args['credentials']} has no password of {args['device']}. Add the device first.")
        wanted = plan(before, args, password)
        loose = bool(before) and bool(path.stat().st_mode & 0o077)
        changed = wanted != before or loose
        if changed and not self._task.check_mode:
            write_whole(str(path), render(wanted).encode(), 0o600)
        diff = {"before_header": str(path), "after_header": str(path), "before": shown(before), "after": shown(wanted)}
        missing = [name for name in _BY_HAND if not wanted[name]]
        return {"changed": changed, "diff": diff, "path": str(path), "missing": missing}
