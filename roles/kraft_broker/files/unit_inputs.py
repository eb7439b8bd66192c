"""Record what a unit was started with, and say later what has changed since.

    unit_inputs.py record  FILE INPUT... -- COMMAND...   write all inputs' fingerprints to FILE, then become COMMAND,
                                                         also where they cannot be written
    unit_inputs.py changed FILE INPUT...                 print what differs from FILE, as a JSON list

An input is a file of properties (each key counts for itself, but for the controllers by which a node finds the quorum),
another file (its content counts), a symlink to a directory (its target counts), or a program below bin/ of a Java home
(the JVM's library counts: a security update replaces it without changing any path). A key is named FILE:KEY.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

# Where a node asks that does not know the leader; one of them is enough, and the quorum tells its voters (KIP-853).
_ONLY_TO_FIND_THE_QUORUM = "controller.quorum.bootstrap.servers"


def properties(text: str) -> dict[str, str]:
    """The keys and values of a file as the collection writes it: one a line; the last one of a key wins."""
    lines = [line.strip() for line in text.splitlines()]
    pairs = [line.partition("=") for line in lines if line and not line.startswith(("#", "!"))]
    return {key.strip(): value.strip() for key, _sign, value in pairs}


def fingerprint(path: Path) -> str:
    """A text that differs whenever a program started with this input would differ."""
    real = path.resolve()
    jvm = real.parent.parent / "lib" / "server" / "libjvm.so"
    if jvm.exists():
        return f"{jvm} {jvm.stat().st_size} {jvm.stat().st_mtime_ns}"
    if real.is_dir():
        return str(real)
    return digest(real.read_bytes()) if real.exists() else "missing"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def fingerprints(names: list[str]) -> dict[str, str]:
    """What counts of all inputs; of a file of properties each key, by which it is told what a change is about."""
    found = {}
    for name in names:
        path = Path(name)
        if path.suffix == ".properties" and path.exists():
            keys = properties(path.read_text(encoding="latin-1"))  # as java.util.Properties reads it
            found.update({f"{name}:{key}": digest(value.encode("latin-1")) for key, value in keys.items()})
            found.pop(f"{name}:{_ONLY_TO_FIND_THE_QUORUM}", None)
        else:
            found[name] = fingerprint(path)
    return found


def changed(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """Names whose fingerprints differ, or that only one side has."""
    return sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))


def record(file: Path, names: list[str]) -> None:
    """Write the fingerprints. A note that fails costs a restart by the next play, and never the start."""
    try:
        file.write_text(json.dumps(fingerprints(names), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        print(f"<4>Cannot note what the unit was started with: {error}", file=sys.stderr, flush=True)


def noted(file: Path) -> dict[str, str]:
    """What record wrote; nothing where it could not."""
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def main(verb: str, file: str, *arguments: str) -> None:
    if verb == "record":
        end = arguments.index("--")
        record(Path(file), list(arguments[:end]))
        os.execv(arguments[end + 1], arguments[end + 1 :])
    else:
        print(json.dumps(changed(noted(Path(file)), fingerprints(list(arguments)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
