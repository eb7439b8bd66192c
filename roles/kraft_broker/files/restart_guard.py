"""Say why a broker ended, and hold the next start back while it could not succeed; kafka.service runs this.

    restart_guard.py stopped LOG_DIR...   after each end: the reason goes to the journal, a failure is noted
    restart_guard.py hold LOG_DIR...      before each start: waits longer after each failure, and for a full disk

systemd 252 of Debian 12 has no growing back-off (RestartSteps= came with 254). The note lives in /run/kafka, which
systemd keeps for restarts only: a boot, and whoever stops or restarts Kafka by hand, does not wait.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

_NOTE = Path("/run/kafka/failures.json")
# with_cds.sh gives the broker no archive of classes while it is there.
_WITHOUT_CDS = Path("/run/kafka/without-cds")
_MIB = 1 << 20
# A broker that could not write a batch leaves less; what it needs to load its logs and delete old segments is more.
_FULL_MIB = 16
_ENOUGH_MIB = 64
_FIRST_SECONDS = 10
_MOST_SECONDS = 300
# A broker that ran for longer did start: its next failure is a first one.
_STEADY_SECONDS = 600
# A JVM that is given a damaged archive of the right size crashes. So many failures in a row, and it starts without.
_DOUBT_CDS = 2
_POLL_SECONDS = 2.0
_BALLAST = "ballast"


@dataclass
class Note:
    """What is kept from one start to the next: failures in a row, and when the last start was (monotonic seconds)."""

    failures: int = 0
    full: bool = False
    started: float = 0.0

    @property
    def unexplained(self) -> int:
        """Failures but the first end on a full disk, after which it waits for room."""
        return self.failures - 1 if self.full else self.failures


@dataclass(frozen=True)
class Room:
    """The file system of a log directory, for a user without root's reserve."""

    log_dir: str
    free_mib: int
    size_mib: int
    inodes: bool
    read_only: bool
    ballast_mib: int = 0

    @property
    def full(self) -> bool:
        return self.free_mib < _FULL_MIB or not self.inodes


def look(log_dir: str) -> Room:
    """What a log directory's file system has left."""
    found = os.statvfs(log_dir)
    return Room(
        log_dir,
        found.f_bavail * found.f_frsize // _MIB,
        found.f_blocks * found.f_frsize // _MIB,
        # btrfs and others have no fixed number of inodes, and say 0 of 0.
        inodes=found.f_favail > 0 or found.f_files == 0,
        read_only=bool(found.f_flag & os.ST_RDONLY),
        ballast_mib=reserved(f"{log_dir}/{_BALLAST}") // _MIB,
    )


def reserved(path: str) -> int:
    """What deleting a ballast would free, in bytes."""
    try:
        found = os.lstat(path)
    except OSError:
        return 0
    whole = stat.S_ISREG(found.st_mode) and found.st_blocks * 512 >= found.st_size
    return found.st_size if whole else 0


def rooms(log_dirs: list[str]) -> list[Room]:
    """All that can be looked at; a directory that is gone is Kafka's to report."""
    return [look(path) for path in log_dirs if os.path.isdir(path)]


def why_full(room: Room) -> str:
    """The sentence about a full disk."""
    left = f"{room.free_mib} of {room.size_mib} MiB are free for it" if room.inodes else "it has no inode left"
    ballast = f"{room.log_dir}/{_BALLAST}"
    way = f"`sudo rm {ballast}` frees {room.ballast_mib} MiB at once" if room.ballast_mib else "delete other files"
    return (
        f"the file system of {room.log_dir} is full: {left}. It comes back by itself once {_ENOUGH_MIB} MiB are free: "
        f"{way}; then lower retention.bytes of a topic."
    )


def why_disk(found: list[Room]) -> str:
    """What is wrong with a disk; empty where nothing is."""
    for room in found:
        if room.read_only:
            return (
                f"the file system of {room.log_dir} is read-only. The kernel does that after errors of a card or disk: "
                "look at `sudo dmesg`, save the records and replace it."
            )
        if room.full:
            return why_full(room)
    return ""


def why_process(result: str, code: str, status: str) -> str:
    """What the end of the process itself says."""
    # The JVM was told to end, since wait_ready.py had failed.
    if result == "exit-code" and (code in ("killed", "dumped") or status == "143"):
        return "it did not serve clients in time; the lines above say what it lacked."
    crash = "its JVM crashed; the lines above have what it wrote of that."
    ends = {
        ("signal", "ABRT"): crash,
        ("core-dump", "ABRT"): crash,
        ("oom-kill", status): "the kernel had no memory left. Lower kraft_broker_heap_mb, or stop other programs.",
        # -XX:+ExitOnOutOfMemoryError
        ("exit-code", "3"): "its heap was full (OutOfMemoryError). Raise kraft_broker_heap_mb.",
        ("timeout", status): "its start or stop made no progress.",
    }
    if code == "exited":
        return ends.get((result, status), f"it failed with exit code {status}; the lines above have the reason.")
    return ends.get((result, status), f"it was ended by signal {status}." if status else f"of {result}.")


def why(environment: Mapping[str, str], found: list[Room]) -> str:
    """Why the broker ended; empty where somebody stopped it.

    :param environment: SERVICE_RESULT, EXIT_CODE and EXIT_STATUS as systemd sets them (systemd.exec(5)).
    """
    result = environment.get("SERVICE_RESULT", "")
    if result == "success":
        return ""
    end = why_process(result, environment.get("EXIT_CODE", ""), environment.get("EXIT_STATUS", ""))
    disk = why_disk(found)
    # Not each end on a full disk is one of the full disk.
    return f"Kafka ended, and {disk} How it ended: {end}" if disk else f"Kafka ended because {end}"


def after_failure(note: Note, now: float, full: bool) -> Note:
    """The note once the broker has failed again."""
    steady = now - note.started > _STEADY_SECONDS
    return Note(1 if steady else note.failures + 1, full, note.started)


def delay(note: Note) -> int:
    """Seconds before the next start: 10, 20, 40 ... 300."""
    return min(_FIRST_SECONDS * 2 ** (note.unexplained - 1), _MOST_SECONDS) if note.unexplained > 0 else 0


def lacks_room(found: list[Room]) -> list[Room]:
    """Where a broker that ended for a full disk could not start yet."""
    return [room for room in found if room.free_mib < _ENOUGH_MIB or not room.inodes]


def read_note() -> Note:
    """The note; an empty one where there is none."""
    try:
        return Note(**json.loads(_NOTE.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return Note()


def write_note(note: Note) -> None:
    _NOTE.write_text(json.dumps(asdict(note)) + "\n", encoding="utf-8")


def notify(text: str) -> None:
    """Send a message to systemd (sd_notify(3))."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.connect("\0" + path[1:] if path.startswith("@") else path)
            channel.send(text.encode())


def stopped(log_dirs: list[str]) -> None:
    """Say why, and note it."""
    found = rooms(log_dirs)
    reason = why(os.environ, found)
    if not reason:
        _NOTE.unlink(missing_ok=True)
        return
    # Critical: journald writes it to the disk at once (journald.conf(5), SyncIntervalSec=).
    print(f"<2>{reason}", flush=True)
    write_note(after_failure(read_note(), time.monotonic(), any(room.full for room in found)))


def hold(log_dirs: list[str]) -> None:
    """Return when a start may be tried; unit_started reads the status text."""
    note, began, said = read_note(), time.monotonic(), ""
    while True:
        left = delay(note) - (time.monotonic() - began)
        lacking = lacks_room(rooms(log_dirs)) if note.full else []
        if lacking:
            text = f"held back until {_ENOUGH_MIB} MiB are free for {lacking[0].log_dir}; {lacking[0].free_mib} MiB are"
        elif left > 0:
            text = f"held back for {delay(note)} s after failure {note.failures} in a row"
        else:
            break
        if not said:
            print(f"<4>The next start is {text}", flush=True)
        said = text
        notify(f"STATUS={text}\nEXTEND_TIMEOUT_USEC={60 * 1_000_000}")
        time.sleep(_POLL_SECONDS if lacking else min(_POLL_SECONDS, left))
    if said:
        print("<5>It is tried again", flush=True)
    doubt_cds(note)
    notify("STATUS=starts")
    note.started = time.monotonic()
    write_note(note)


def doubt_cds(note: Note) -> None:
    """Have the broker started without its archive of classes where that may be why it fails, and say so."""
    if note.unexplained < _DOUBT_CDS:
        _WITHOUT_CDS.unlink(missing_ok=True)
        return
    _WITHOUT_CDS.touch()
    print(
        f"<4>After {note.failures} failures it starts without its archive of classes, which may be damaged. "
        "If that helps: sudo rm -r /opt/kafka/cds; sudo systemctl restart kafka",
        flush=True,
    )


def main() -> None:
    verb, *log_dirs = sys.argv[1:]
    {"stopped": stopped, "hold": hold}[verb](log_dirs)


if __name__ == "__main__":
    main()
