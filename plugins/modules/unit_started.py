#!/usr/bin/python
# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: unit_started
short_description: Enable and start a systemd unit, and say every 15 s what its start waits for
version_added: 0.1.0
description:
  - Enables a unit, loads it anew where its file has changed, starts it, and waits until it is active.
  - A wait of over 15 s prints the unit's own status text every 15 s.
  - A start that is under way is waited for. One that systemd would only try again later is tried at once.
  - A start that fails is an error at once, whether or not systemd will try again. With O(means) it has the last
    lines of the unit's journal.
author:
  - raspi.kafka contributors (@raspi-kafka)
options:
  name:
    description: The unit, with its suffix.
    type: str
    required: true
  restarted:
    description: Whether to restart it where it is active.
    type: bool
    default: false
  reload:
    description: Whether its files were written in this run. Where systemd says so, it is loaded anew in any case.
    type: bool
    default: false
  limit:
    description: Seconds that the start may take in all.
    type: int
    required: true
  idle_status:
    description: A text in the unit's own status by which nothing happens on this host until others do their part.
    type: str
    default: ''
  idle_limit:
    description: Seconds after which such a wait is given up; the unit itself goes on.
    type: int
    default: 300
  wait:
    description: Whether to wait until it is active. Units that wait for each other are first let start on all hosts.
    type: bool
    default: true
  means:
    description: What a failure means for the user, as a sentence without its full stop.
    type: str
    default: ''
  spared:
    description: What a failure has not harmed, as a sentence for the end of its message.
    type: str
    default: ''
  again:
    description: Set by the action plugin from its second call on, which only waits.
    type: bool
    default: false
extends_documentation_fragment:
  - raspi.kafka._attributes
attributes:
  diff_mode:
    support: none
seealso:
  - module: ansible.builtin.systemd_service
"""

EXAMPLES = r"""
- name: Start the broker
  raspi.kafka.unit_started:
    name: kafka.service
    limit: 3600
    means: Kafka on pi1 does not serve clients
"""

RETURN = r"""
done:
  description: Whether the unit is active.
  type: bool
  returned: always
waits_for:
  description: What the start waits for, while it is not done.
  type: str
  returned: always
idle:
  description: Whether it waits for others by its O(idle_status).
  type: bool
  returned: success
active:
  description: Whether it was active before this task.
  type: bool
  returned: success
status:
  description: The unit's own status text.
  type: str
  returned: success
"""

import time
from dataclasses import dataclass

from ansible.module_utils.basic import AnsibleModule

_SLICE_SECONDS = 15
_POLL_SECONDS = 0.25
_PROPERTIES = ("ActiveState", "SubState", "Result", "StatusText", "UnitFileState", "NeedDaemonReload", "InvocationID")
# What a unit says of itself while its ExecStartPre= waits before a start (restart_guard.py of kraft_broker).
_HELD = "held back"


class StartError(Exception):
    """A sentence for the user: which unit did not start, and how that ended."""


@dataclass(frozen=True)
class Unit:
    """What systemd says of a unit (systemd(1), org.freedesktop.systemd1(5))."""

    active: str
    sub: str
    result: str
    status: str
    file_state: str
    stale: bool
    invocation: str

    @property
    def held(self) -> bool:
        return self.sub == "start-pre" and self.status.startswith(_HELD)

    @property
    def waits_for_a_retry(self) -> bool:
        """Between two attempts; nothing is under way that had to be waited for."""
        return self.held or (self.active == "activating" and self.sub == "auto-restart")

    @property
    def under_way(self) -> bool:
        return self.active in ("activating", "reloading", "deactivating") and not self.waits_for_a_retry


def parse(shown: str) -> Unit:
    """Read `systemctl show`."""
    facts = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    return Unit(
        active=facts["ActiveState"],
        sub=facts["SubState"],
        result=facts.get("Result", ""),
        status=facts.get("StatusText", ""),
        file_state=facts.get("UnitFileState", ""),
        stale=facts.get("NeedDaemonReload") == "yes",
        invocation=facts.get("InvocationID", ""),
    )


def plan(unit: Unit, restarted: bool, reload: bool) -> list[list[str]]:
    """The systemctl commands that lead to an enabled and starting unit."""
    commands = []
    if unit.stale or reload:
        commands.append(["daemon-reload"])
    if unit.file_state != "enabled":
        commands.append(["enable"])
    if (restarted and not unit.under_way) or unit.waits_for_a_retry:
        commands.append(["restart", "--no-block"])
    elif unit.active != "active" and not unit.under_way:
        commands.append(["start", "--no-block"])
    return commands


def waits_for(name: str, unit: Unit) -> str:
    """What a start that is under way waits for."""
    return f"{name} starts: {unit.status}" if unit.status else f"{name} is {unit.active} ({unit.sub})"


def judge(name: str, unit: Unit) -> bool:
    """Whether a start has succeeded, is under way (False), or failed.

    :raises StartError: it failed.
    """
    if unit.held:
        raise StartError(f"{name} does not start: {unit.status}")
    if unit.active == "active":
        return True
    if unit.under_way:
        return False
    raise StartError(f"{name} did not start: {unit.active}, {unit.result or unit.sub}.")


def systemctl(module: AnsibleModule, *words: str) -> str:
    """Run systemctl.

    :raises StartError: it failed.
    """
    code, out, err = module.run_command(["systemctl", *words])
    if code:
        raise StartError(f"systemctl {' '.join(words)} failed: {err.strip() or out.strip()}")
    return out


def show(module: AnsibleModule) -> Unit:
    return parse(systemctl(module, "show", module.params["name"], f"--property={','.join(_PROPERTIES)}"))


def wait(module: AnsibleModule, ended: str) -> Unit:
    """Wait for a slice of time, or until the start has succeeded.

    :param ended: the invocation that we have asked to end; as long as it is shown, systemd has not begun with ours.
    :raises StartError: it failed.
    """
    deadline = time.monotonic() + _SLICE_SECONDS
    while True:
        unit = show(module)
        ours = unit.invocation != ended
        if (ours and judge(module.params["name"], unit)) or time.monotonic() > deadline:
            return unit
        time.sleep(_POLL_SECONDS)


def run(module: AnsibleModule) -> dict[str, object]:
    name = module.params["name"]
    before = show(module)
    commands = [] if module.params["again"] else plan(before, module.params["restarted"], module.params["reload"])
    changed = any(command != ["daemon-reload"] for command in commands)
    unwaited = {"changed": changed, "done": True, "waits_for": "", "active": before.active == "active", "status": ""}
    if module.check_mode:
        return unwaited
    for command in commands:
        systemctl(module, *command, *([] if command == ["daemon-reload"] else [name]))
    if not module.params["wait"]:
        return unwaited
    started = any("--no-block" in command for command in commands)
    unit = wait(module, before.invocation if started else "none")
    idle = bool(module.params["idle_status"]) and module.params["idle_status"] in unit.status
    others = "Start the other nodes, and look whether this host reaches them. " if idle else ""
    return {
        "changed": changed,
        "done": unit.active == "active",
        "waits_for": waits_for(name, unit),
        "active": before.active == "active",
        "status": unit.status,
        "idle": idle,
        "idle_limit": module.params["idle_limit"],
        "limit": module.params["limit"],
        "remedy": f"{others}Look at it on the host: systemctl status {name}",
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "restarted": {"type": "bool", "default": False},
            "reload": {"type": "bool", "default": False},
            "limit": {"type": "int", "required": True},
            "idle_status": {"type": "str", "default": ""},
            "idle_limit": {"type": "int", "default": 300},
            "wait": {"type": "bool", "default": True},
            "means": {"type": "str", "default": ""},
            "spared": {"type": "str", "default": ""},
            "again": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module))
    except StartError as error:
        module.fail_json(msg=str(error), done=False, waits_for="")


if __name__ == "__main__":
    main()
