"""The Docker engine: the one that answers, or one of our own where there is none."""

import contextlib
import os
import subprocess
import time
from pathlib import Path

from . import cache, package
from .step import Failure, last_line, run, step, tell

SECONDS_TO_START = 60
SECONDS_TO_STOP = 60


def up() -> None:
    """Use the engine that answers, else install and start one."""
    if answers():
        tell(f"engine: {version()} answers")
        return
    package.ensure({"dockerd": "docker.io"})
    package.ensure({"docker": "docker-cli"})  # newer Debians split the client off
    if answers():  # the package's own service has started it
        return
    with step("start dockerd"):
        wait(start())
    tell(f"engine: {version()}, log {log_file()}")


def down() -> None:
    """End the engine that we started, and no other."""
    pid = own_pid()
    if pid is None:
        tell("engine: none of ours runs")
        return
    with step(f"stop dockerd, process {pid}"):
        ours = [pid, *children(pid, "containerd")]
        signal(pid, "TERM")
        if not gone(ours, SECONDS_TO_STOP):
            raise Failure("dockerd does not stop", f"process {pid} is still there", f"read {log_file()}")


def answers() -> bool:
    """Tell whether an engine answers this user."""
    try:
        done = subprocess.run(["docker", "info"], capture_output=True, text=True, timeout=30, check=False)
    except FileNotFoundError:
        return False
    except subprocess.TimeoutExpired as late:
        raise Failure("the Docker engine hangs", "docker info took 30 s", "restart the engine") from late
    if "permission denied" in done.stderr:
        raise Failure("the Docker engine refuses this user", last_line(done.stderr), "join group docker or be root")
    # a client without an engine exits 0 in some versions: only the server's part counts
    return done.returncode == 0 and "Server Version" in done.stdout


def require() -> None:
    """Stop early, with the way out, where no engine answers."""
    if not answers():
        raise Failure("no Docker engine answers", "docker info fails", "run: python3 -m tests.hosts engine up")


def docker(*arguments: str | Path, what: str, remedy: str = "read the engine's log", stdin: str | None = None) -> str:
    """Run a docker command."""
    return run(["docker", *arguments], what, remedy, stdin=stdin).strip()


def version() -> str:
    """Return the engine's version."""
    return "Docker " + docker("version", "--format", "{{.Server.Version}}", what="the engine does not tell its version")


def pid_file() -> Path:
    """Where our engine writes its process id."""
    return cache.directory("_engine") / "dockerd.pid"


def log_file() -> Path:
    """Where our engine writes its log."""
    return cache.directory("_engine") / "dockerd.log"


def start() -> subprocess.Popen[bytes]:
    """Start dockerd in the background; it outlives us."""
    own_pid()  # clears a stale file: dockerd refuses to start if another process has its old id by now
    command = package.as_root(["dockerd", "--pidfile", pid_file(), "--group", str(os.getgid())])
    with log_file().open("wb") as log:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=system_path()
        )


def system_path() -> dict[str, str]:
    """Return the environment with the system's programs in reach (iptables is in /usr/sbin)."""
    return {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}


def wait(process: subprocess.Popen[bytes]) -> None:
    """Wait until the engine answers."""
    deadline = time.monotonic() + SECONDS_TO_START
    while not answers():
        reason = last_line(log_file().read_text(errors="replace"))
        if process.poll() is not None:
            raise Failure("dockerd ended", reason, f"read {log_file()}")
        if time.monotonic() > deadline:
            raise Failure(f"dockerd does not answer after {SECONDS_TO_START} s", reason, f"read {log_file()}")
        time.sleep(0.2)


def own_pid() -> int | None:
    """Return the process id of the engine that we started, if it runs; forget it if it does not."""
    try:
        pid = int(pid_file().read_text())
    except (FileNotFoundError, ValueError):
        return None
    if process_name(pid) == "dockerd" and str(pid_file()) in command_line(pid):
        return pid
    run(package.as_root(["rm", "-f", pid_file()]), "the stale pid file stays", f"delete {pid_file()}")
    return None


def process_name(pid: int) -> str:
    """Return a process's name, or nothing if there is none or it is dead and not yet collected."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    return "" if facts["State"].startswith("Z") else facts["Name"]


def command_line(pid: int) -> str:
    """Return a process's arguments."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    return ""


def children(parent: int, name: str) -> list[int]:
    """Return the processes of that name that the parent started."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if process_name(pid) == name and parent_of(pid) == parent]


def parent_of(pid: int) -> int:
    """Return the parent's process id, 0 if the process is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(status.split("PPid:", 1)[1].split(maxsplit=1)[0])


def signal(pid: int, name: str) -> None:
    """Send a signal to one process."""
    run(package.as_root(["kill", f"-{name}", str(pid)]), f"cannot end process {pid}", "end it by hand")


def gone(pids: list[int], seconds: float) -> bool:
    """Wait until all these processes have ended."""
    deadline = time.monotonic() + seconds
    while any(process_name(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
