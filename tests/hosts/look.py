"""Runs inside a host, alone (it is piped to its python3): says what is on its disk and which services run.

Arguments: a JSON object with `left_out` (paths), `kept` (directory -> names kept although it is left out).
"""

import hashlib
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink", stat.S_IFIFO: "fifo"}
PROPERTIES = ["Id", "MainPID", "ExecMainStartTimestampMonotonic", "NRestarts"]


def paths(top: str, left_out: set[str]) -> Iterator[str]:
    """Walk depth first, without entering what is left out."""
    yield top
    if os.path.islink(top) or not os.path.isdir(top):
        return
    for name in sorted(os.listdir(top)):
        path = os.path.join(top, name)
        if path not in left_out:
            yield from paths(path, left_out)


def kept_paths(kept: dict[str, list[str]]) -> Iterator[str]:
    """Find the few files that matter below directories that are left out."""
    for top, names in kept.items():
        for parent, _folders, files in os.walk(top):
            yield from (os.path.join(parent, name) for name in sorted(files) if name in names)


def describe(path: str) -> dict[str, Any]:
    """Say all that can be changed about one path."""
    found = os.lstat(path)
    kind = KINDS.get(stat.S_IFMT(found.st_mode), "special")
    facts: dict[str, Any] = {"type": kind, "mode": f"{stat.S_IMODE(found.st_mode):04o}"}
    facts.update(uid=found.st_uid, gid=found.st_gid, mtime=found.st_mtime_ns)
    if kind == "file":
        facts["sha256"] = sha256(path)
    if kind == "symlink":
        facts["target"] = os.readlink(path)
    return facts


def sha256(path: str) -> str:
    """Return a file's sum."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def files(left_out: set[str], kept: dict[str, list[str]]) -> dict[str, Any]:
    """Describe everything; what goes away while we look was not there."""
    found = {}
    for path in [*paths("/", left_out), *kept_paths(kept)]:
        try:
            found[path] = describe(path)
        except FileNotFoundError:
            continue
    return found


def services() -> dict[str, Any]:
    """Say of each service which process it is and since when."""
    command = ["systemctl", "show", "--all", "*.service", "--property=" + ",".join(PROPERTIES)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    units = [dict(line.split("=", 1) for line in block.splitlines()) for block in text.strip().split("\n\n")]
    found = {unit.pop("Id"): unit for unit in units}
    # systemd loads and forgets units that never ran whenever somebody asks for them: that is no change
    return {name: unit for name, unit in found.items() if unit["ExecMainStartTimestampMonotonic"] != "0"}


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    sys.setrecursionlimit(10_000)
    json.dump({"files": files(set(asked["left_out"]), asked["kept"]), "services": services()}, sys.stdout)
