# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

from ansible_collections.raspi.kafka.plugins.plugin_utils._repeat import RepeatingAction, heard

_LIMIT = 2400
# As ansible.builtin.apt has it: a configuration file that was changed stays, and nobody is asked.
_KEEP = ("--force-confdef", "--force-confold")
_CONFIGURE = ["dpkg", *_KEEP, "--configure", "--pending"]
_FIX = ["apt-get", "--yes", *(f"--option=Dpkg::Options::={flag}" for flag in _KEEP), "--fix-broken", "install"]


class ActionModule(RepeatingAction):
    """Waits by the module of the same name, where the documentation stands, and then installs."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        variables = task_vars or {}
        free = super().run(tmp, variables)
        if free.get("failed"):
            return free
        repaired = False if self._task.check_mode else self.repair(variables)
        result = self.install(variables)
        return {**result, "changed": repaired or result.get("changed", False)}

    def once(self, more: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        args = {key: value for key, value in self._task.args.items() if key != "name"}
        return self._execute_module(module_args={**args, **more}, task_vars=variables)

    def repair(self, variables: dict[str, Any]) -> bool:
        """Finish what dpkg was interrupted in, or apt refuses everything; returns whether there was something.

        Where a package came without what it depends on, dpkg cannot, and apt fetches it. Not by Ansible's module for
        apt, whose own library may be what is missing. If both fail, the installation says best what is wrong.
        """
        result = self.command(_CONFIGURE, "dpkg finishes what it was interrupted in", variables)
        if result.get("rc"):
            self.command(_FIX, "apt fetches what an interrupted installation lacks", variables)
        return bool(result.get("stdout") or result.get("rc"))

    def command(self, words: list[str], what: str, variables: dict[str, Any]) -> dict[str, Any]:
        argv = ["env", "DEBIAN_FRONTEND=noninteractive", *words]
        return self.aloud("ansible.builtin.command", {"argv": argv}, what, variables)

    def install(self, variables: dict[str, Any]) -> dict[str, Any]:
        names = self._task.args["name"]
        args = {
            "name": names,
            "install_recommends": False,
            "update_cache": True,
            "cache_valid_time": 86400,
            # Somebody may be quicker than we after the wait.
            "lock_timeout": 600,
        }
        return self.aloud("ansible.builtin.apt", args, f"apt installs {' '.join(names)}", variables)

    def aloud(self, module: str, args: dict[str, Any], what: str, variables: dict[str, Any]) -> dict[str, Any]:
        """Run a module on the host, and say meanwhile what it does."""
        limit = float(self._task.timeout or _LIMIT)
        with heard(variables.get("inventory_hostname", ""), lambda: what, limit):
            return self._execute_module(module_name=module, module_args=args, task_vars=variables)
