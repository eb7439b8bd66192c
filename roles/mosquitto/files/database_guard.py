"""Set Mosquitto's database aside when it cannot be read, so that the next start can begin with an empty one.

    database_guard.py DATABASE    for ExecStopPost=, which tells by its environment how the process ended (systemd.exec(5))

Nothing is deleted: the file is renamed, and the journal has an alarm. Mosquitto's own message decides, since it reads what
it writes in a form of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

_UNREADABLE = "Error: Couldn't open database."  # mosquitto.c, main()
_NO_FAULT_OF_THE_FILE = "Error: Out of memory."


def unreadable(result: str, said: str) -> bool:
    """Whether a process ended since it could not read its database.

    :param result: systemd's SERVICE_RESULT.
    :param said: what the process wrote to the journal.
    """
    lines = said.splitlines()
    return result == "exit-code" and _UNREADABLE in lines and _NO_FAULT_OF_THE_FILE not in lines


def journal(invocation: str) -> str:
    """What one run of a unit has said."""
    subprocess.run(["journalctl", "--sync"], check=False)
    command = ["journalctl", f"_SYSTEMD_INVOCATION_ID={invocation}", "--output=cat", "--no-pager"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def set_aside(path: Path, now: float) -> Path:
    """Give it a name that tells when."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    kept = path.with_name(f"{path.name}.unreadable-{stamp}")
    path.rename(kept)
    return kept


def main(path: Path, environment: Mapping[str, str]) -> None:
    """Look how the process ended."""
    result = environment.get("SERVICE_RESULT", "")
    if result != "exit-code" or not path.exists():
        return
    if unreadable(result, journal(environment["INVOCATION_ID"])):
        kept = set_aside(path, time.time())
        # <2> is critical (sd-daemon(3)).
        print(
            f"<2>Mosquitto could not read {path}: it is {kept} now, and the sessions and queues in it are lost to clients. "
            "Mosquitto starts without them. Look whether the card fails: journalctl --dmesg --grep 'mmc|I/O error'",
            file=sys.stderr,
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), os.environ)
