"""Set Mosquitto's database aside when it cannot be read, so that the next start can begin with an empty one.

    database_guard.py DATABASE    for ExecStopPost=, whose environment tells how the process ended (systemd.exec(5))

Nothing is deleted: the file is renamed, and the journal has an alarm. Mosquitto's own message decides, since it alone
knows the form of the file.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

# Its last line for each of the damaged databases that stopped it: 72 of 160 that were cut off, zeroed or overwritten,
# with 2.0.11 and with 2.0.21.
_UNREADABLE = "Error: Couldn't open database."


def unreadable(result: str, said: str) -> bool:
    """Whether a process ended since it could not read its database.

    :param result: systemd's SERVICE_RESULT.
    :param said: what the process wrote to the journal.
    """
    return result == "exit-code" and _UNREADABLE in said.splitlines()


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
            f"<2>Mosquitto could not read {path}. It is {kept} now, and clients have lost the sessions and queues in "
            "it; Mosquitto starts without them. Look whether the card fails: journalctl --dmesg --grep 'mmc|I/O error'",
            file=sys.stderr,
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), os.environ)
