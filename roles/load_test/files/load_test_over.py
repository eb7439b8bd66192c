"""Take the users of simulated devices out of the password file of Mosquitto, and let it read that.

    load_test_over.py PASSWORDS

The load test runs it; a timer of systemd does so too, in case that nobody is left who would.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys

_SIMULATED = re.compile(r"sim-\d{5}:")


def others(text: str) -> str:
    """What is left of the file."""
    return "".join(line for line in text.splitlines(keepends=True) if not _SIMULATED.match(line))


def take_out(path: str) -> None:
    """Write the file anew where there is such a user; a power cut leaves the old or the new one.

    :raises OSError: the file cannot be read or replaced.
    :raises subprocess.CalledProcessError: Mosquitto neither reloads nor restarts.
    """
    with open(path, encoding="utf-8") as file:
        before = file.read()
    after = others(before)
    if after == before:
        return
    part = f"{path}.over"
    with open(part, "w", encoding="utf-8") as file:
        owner = os.stat(path)
        os.fchmod(file.fileno(), owner.st_mode & 0o777)
        os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        file.write(after)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
    # Its unit refuses a reload that could lose messages; one that its owner has stopped stays so.
    if subprocess.run(["systemctl", "reload", "mosquitto.service"], check=False).returncode:
        subprocess.run(["systemctl", "try-restart", "mosquitto.service"], check=True)


def main(path: str) -> None:
    """Take them out, or end with a sentence that says why that failed."""
    try:
        take_out(path)
    except OSError as error:
        sys.exit(
            f"Cannot take the users of simulated devices out of {path}: {error.strerror}. Run the load test again."
        )
    except subprocess.CalledProcessError:
        sys.exit(
            f"The users of simulated devices are out of {path}, but Mosquitto neither reloads nor restarts, and may "
            "let them in until it does. See why with: journalctl --unit mosquitto"
        )


if __name__ == "__main__":
    main(sys.argv[1])
