# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import tempfile
import time
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible.utils.path import unfrackpath
from ansible_collections.raspi.kafka.plugins.plugin_utils._repeat import heard

# A link that often drops brings at least the first piece with each run; on a good one the pieces soon are few.
_FIRST_PIECE = 1 << 20
_SMALLEST_PIECE = 1 << 18
_LARGEST_PIECE = 1 << 24
_QUICK_SECONDS = 3
_SLOW_SECONDS = 10
_LIMIT = 7200
_BLOCK = 1 << 18
_MB = 1_000_000


def sha512_of(path: Path, size: int) -> str:
    """The sum of a file's first bytes."""
    digest = hashlib.sha512()
    with path.open("rb") as file:
        while size > 0 and (block := file.read(min(size, _BLOCK))):
            digest.update(block)
            size -= len(block)
    return digest.hexdigest()


def start_of(path: Path, found: dict[str, Any]) -> int:
    """How many bytes of the file the host has: what it has counts if it is the file's beginning."""
    size = int(found["offset"])
    same = size <= path.stat().st_size and sha512_of(path, size) == found["sha512"]
    return size if same else 0


def next_piece(piece: int, seconds: float) -> int:
    """How large the piece after one that took so long is."""
    if seconds < _QUICK_SECONDS:
        return min(piece * 2, _LARGEST_PIECE)
    return max(piece // 2, _SMALLEST_PIECE) if seconds > _SLOW_SECONDS else piece


class ActionModule(ActionBase):
    """Sends the pieces; the documentation stands in the module of the same name, which runs on the host."""

    TRANSFERS_FILES = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        variables = task_vars or {}
        found = self.on_host({}, variables)
        if found.get("failed") or found.get("done"):
            return found
        if self._task.check_mode:
            return {"changed": True}
        path = Path(unfrackpath(self._task.args["src"], follow=False))
        try:
            began = start_of(path, found)
        except OSError as error:
            return {"failed": True, "msg": f"Cannot read {path} on the control node: {error.strerror}."}
        return {**self.send(path, began, variables), "offset": began}

    def send(self, path: Path, offset: int, variables: dict[str, Any]) -> dict[str, Any]:
        """Send what is missing; returns the last answer."""
        host, size, piece = variables.get("inventory_hostname", ""), path.stat().st_size, _FIRST_PIECE
        sent, deadline = offset, time.monotonic() + _LIMIT

        def far() -> str:
            return f"{sent / _MB:.0f} of {size / _MB:.0f} MB"

        if offset:
            Display().display(f"{host}: {path.name}: {far()} are there already, the push goes on")
        with heard(host, lambda: f"{path.name} is pushed, {far()}", _LIMIT):
            while True:
                began, last = time.monotonic(), sent + piece >= size
                place = {"piece": self.transfer(path, sent, piece), "offset": sent, "finish": last}
                # Of the link alone: a slow host needs seconds to run a module, however small the piece is.
                seconds = time.monotonic() - began
                result = self.on_host(place, variables)
                if last or result.get("failed"):
                    return result
                sent += piece
                piece = next_piece(piece, seconds)
                if time.monotonic() > deadline:
                    return {"failed": True, "msg": too_slow(host, path.name, far())}

    def transfer(self, path: Path, offset: int, size: int) -> str:
        """Copy a piece to the host; returns its path there."""
        if not self._connection._shell.tmpdir:  # the one that Ansible removes in the end
            self._make_tmp_path()
        remote = self._connection._shell.join_path(self._connection._shell.tmpdir, "piece")
        with tempfile.NamedTemporaryFile() as piece, path.open("rb") as file:
            file.seek(offset)
            piece.write(file.read(size))
            piece.flush()
            self._transfer_file(piece.name, remote)
        return str(remote)

    def on_host(self, more: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Run the module there."""
        args = {key: value for key, value in self._task.args.items() if key != "src"}
        return self._execute_module(module_args={**args, **more}, task_vars=variables)


def too_slow(host: str, name: str, far: str) -> str:
    return f"{host}: {far} of {name} are there, and {_LIMIT} s have passed. Run the play again, the push goes on."
