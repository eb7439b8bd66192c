# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: may change at any time, it is no promise to other collections.
"""Waits that say what they wait for.

A module cannot print while it runs. So one that waits returns after a slice of time with what it waits for, and the
action plugin of its name prints that and runs it again. Where one call cannot be cut into slices, and the control node
sees by itself how far it is, the action plugin says so meanwhile.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

SLICE_SECONDS = 15


def line(host: str, waits_for: str, waited: float, limit: float) -> str:
    """What a wait looks like; seconds."""
    return f"{host}: {waits_for}; {waited:.0f} s of at most {limit:.0f} s"


@contextlib.contextmanager
def heard(host: str, waits_for: Callable[[], str], limit: float) -> Iterator[None]:
    """Say every 15 s what the body waits for."""
    began, over = time.monotonic(), threading.Event()

    def speak() -> None:
        while not over.wait(SLICE_SECONDS):
            Display().display(line(host, waits_for(), time.monotonic() - began, limit))

    voice = threading.Thread(target=speak, daemon=True)
    # A Ctrl-C must reach the thread that waits: the other one would not wake it, and the module would go on.
    usual = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    voice.start()
    signal.pthread_sigmask(signal.SIG_SETMASK, usual)
    try:
        yield
    finally:
        over.set()
        voice.join()


class RepeatingAction(ActionBase):
    """Runs the module of its own name until it returns `done`, or for `limit` seconds.

    One that returns `idle` waits for other hosts alone, and for `idle_limit` seconds at most.
    """

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        variables = task_vars or {}
        host = variables.get("inventory_hostname", "")
        began = time.monotonic()
        result = self.once({}, variables)
        changed, limit = result.get("changed", False), float(result.get("limit", 0))
        busy = began
        while not result.get("failed") and not result.get("done"):
            waited = time.monotonic() - began
            busy = busy if result.get("idle") else time.monotonic()
            if result.get("idle") and time.monotonic() - busy >= result["idle_limit"]:
                limit = waited
            if waited >= limit:
                message = f"{host}: {result['waits_for']}, and {limit:.0f} s have passed. {result['remedy']}"
                return self.given_up(result, message)
            Display().display(line(host, result["waits_for"], waited, limit))
            result = self.once({"again": True}, variables)
        return {**result, "changed": changed or result.get("changed", False)}

    def given_up(self, result: dict[str, Any], message: str) -> dict[str, Any]:
        """What a wait in vain ends with: the result of the last slice, as a failure."""
        return {**result, "failed": True, "msg": message}

    def once(self, more: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """One slice on the host."""
        return self._execute_module(module_args={**self._task.args, **more}, task_vars=variables)
