"""Kills the play as soon as a task is done on a host, for steps that are too short to be seen on the host."""

from __future__ import annotations

import os
import signal
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: killed_after
type: notification
short_description: Kill the play after a task
description: KILLED_AFTER has the name of the task, a bar, and the host.
"""


class CallbackModule(CallbackBase):
    """Ansible's way to find it."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "killed_after"
    CALLBACK_NEEDS_ENABLED = True

    def v2_runner_on_ok(self, result: Any) -> None:
        done = f"{result._task.name}|{result._host.name}"
        if done == os.environ["KILLED_AFTER"] and result._result.get("changed"):
            print(f"killed after {done}", flush=True)
            os.killpg(os.getpgid(0), signal.SIGKILL)
