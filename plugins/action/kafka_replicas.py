# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

from ansible_collections.raspi.kafka.plugins.plugin_utils._repeat import RepeatingAction

_OF_THE_PLAN = ("actions", "diff", "left_alone")


class ActionModule(RepeatingAction):
    """Repeats the module of the same name, where the documentation stands, and returns the plan of the first call."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        self._planned: dict[str, Any] = {}
        return {**super().run(tmp, task_vars), **self._planned}

    def given_up(self, result: dict[str, Any], message: str) -> dict[str, Any]:
        """What waits for brokers that do not serve is told, and is no failure: the other hosts go on without them."""
        return result if result["blocked"] else super().given_up(result, message)

    def once(self, more: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Each call goes on with whatever the one before has left; only the first one is given nothing more."""
        result = super().once({}, variables)
        if not more:
            self._planned = {name: result[name] for name in _OF_THE_PLAN if name in result}
        return result
