# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
from typing import Any

from ansible_collections.raspi.kafka.plugins.plugin_utils._repeat import RepeatingAction

_LINES = 40
_TOLD = 12
# What Java says of where an exception came from, which is longer than what it says of its cause.
_TRACE = re.compile(r"at |\.{3} \d+ more")


def told(journal: str) -> str:
    """The end of a unit's journal, in one line."""
    lines = [line.strip() for line in journal.splitlines()]
    return " | ".join([line for line in lines if line and not _TRACE.match(line)][-_TOLD:])


class ActionModule(RepeatingAction):
    """Repeats the module of the same name, where the documentation stands, and reads the journal of what fails."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        means = self._task.args.get("means")
        if not result.get("failed") or not means:
            return result
        name = self._task.args["name"]
        unit, spared = name.removesuffix(".service"), self._task.args.get("spared", "")
        message = (
            f"{means}. Its last lines were: {told(self.journal(name, task_vars or {}))}. Mend the cause and run the "
            f"play again; `journalctl -u {unit}` has the rest. {spared}"
        )
        return {**result, "msg": message.rstrip()}

    def journal(self, name: str, variables: dict[str, Any]) -> str:
        """What the unit has said last."""
        argv = ["journalctl", "--unit", name, "--no-pager", "--output", "cat", "--lines", str(_LINES)]
        answer = self._execute_module("ansible.builtin.command", {"argv": argv}, task_vars=variables)
        return answer.get("stdout", "")
