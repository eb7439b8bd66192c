# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.utils.path import unfrackpath
from ansible_collections.raspi.kafka.plugins.plugin_utils._repeat import RepeatingAction, heard

_MB = 1_000_000
_LIMIT = 7200


def far(dest: Path) -> str:
    """How far a download is: the size of its part, and what the module wrote into the lock about the whole."""
    try:
        came = dest.with_name(f"{dest.name}.part").stat().st_size
        total = int(dest.with_name(f"{dest.name}.part.lock").read_text(encoding="utf-8") or 0)
    except (OSError, ValueError):  # not there yet, or no longer
        return f"{dest.name} is downloaded"
    of = f" of {total / _MB:.0f}" if total else ""
    return f"{dest.name} is downloaded, {came / _MB:.0f}{of} MB"


class ActionModule(RepeatingAction):
    """Runs the module of the same name, where the documentation stands, and says meanwhile how far it is."""

    def once(self, more: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        dest = Path(unfrackpath(self._task.args["dest"], follow=False))
        limit = float(self._task.args.get("limit", _LIMIT))
        with heard(variables.get("inventory_hostname", ""), lambda: far(dest), limit):
            return super().once(more, variables)
