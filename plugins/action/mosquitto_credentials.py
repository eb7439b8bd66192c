# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.raspi.kafka.plugins.plugin_utils._credentials import (
    CredentialsError,
    File,
    Plan,
    locked,
    plan,
    read_all,
    write,
)

_NAMES = {"type": "list", "elements": "str", "default": []}


def diff(before: File, made: Plan, path: Path) -> dict[str, str]:
    """Names for ``--diff``, never passwords."""
    old, new = ("".join(f"{name}\n" for name in names) for names in (before.passwords, made.passwords))
    return {"before_header": str(path), "after_header": str(path), "before": old, "after": new}


class ActionModule(ActionBase):
    """Works on the control node; the documentation stands in the module of the same name."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        spec = {"path": {"type": "path", "required": True}, "users": _NAMES, "devices": _NAMES, "absent": _NAMES}
        _result, args = self.validate_argument_spec(argument_spec=spec)
        path = Path(args["path"]).absolute()
        dry = self._task.check_mode
        try:
            with contextlib.nullcontext() if dry else locked(path.parent):
                return {**result, **self.ensure(path, args, dry)}
        except CredentialsError as error:
            return {**result, "failed": True, "msg": f"{error} Nothing was changed."}
        except OSError as error:
            return {**result, "failed": True, "msg": f"Cannot write {path}: {error.strerror}. Nothing was changed."}

    def ensure(self, path: Path, args: dict[str, Any], dry: bool) -> dict[str, Any]:
        """Plan, and write what has changed.

        :raises CredentialsError: a file cannot be used.
        """
        vault = self._loader._vault
        files = read_all(path.parent, vault)
        before = files.get(path.stem, File())
        made = plan(files, path.stem, args["users"], args["devices"], args["absent"])
        if made.changed and not dry:
            write(path, made, vault)
        facts = {"names": list(made.passwords), "added": made.added, "removed": made.removed}
        return {"changed": made.changed, "diff": diff(before, made, path), "path": str(path), **facts}
