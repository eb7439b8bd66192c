"""Which programs a host executed during a block, seen by the kernel and not by Ansible.

A fanotify mark on the container's filesystem reports each exec, also those of sandboxed services, and no mere read.
It does not see programs on other filesystems of the container (its tmpfs and mounts).
"""

import contextlib
import ctypes
import os
import re
import struct
from collections import Counter
from collections.abc import Iterator

from . import engine
from .step import Failure

# <linux/fanotify.h>
CLOEXEC, NONBLOCK, UNLIMITED_QUEUE = 0x1, 0x2, 0x10
MARK_ADD, MARK_FILESYSTEM, OPEN_EXEC, OVERFLOW = 0x1, 0x100, 0x1000, 0x4000
AT_FDCWD = -100
EVENT = struct.Struct("=IBBHQii")  # length, version, reserved, metadata length, mask, file, process

JAVA = re.compile(r"/bin/java$|/jvm/[^/]+/(jre/)?bin/[^/]+$")  # each launcher of a JDK starts a JVM, not only java


@contextlib.contextmanager
def executed(container: str) -> Iterator[Counter[str]]:
    """Count the programs, by path, that start in the container until the block ends; the counts are there after it."""
    programs: Counter[str] = Counter()
    queue = watch(container)
    try:
        yield programs
        programs.update(events(queue))
    finally:
        os.close(queue)


def jvms(programs: Counter[str]) -> int:
    """Return how many of them were JVMs."""
    return sum(times for path, times in programs.items() if JAVA.search(path))


def watch(container: str) -> int:
    """Return a queue that the kernel fills with the execs of the container's filesystem."""
    what, remedy = f"cannot watch {container}", "run as root on the machine of the engine, Linux 5.0 or later"
    pid = engine.docker("inspect", "--format", "{{.State.Pid}}", container, what=what)
    if pid == "0":
        raise Failure(what, "it does not run", f"run: docker start {container}")
    libc = ctypes.CDLL(None, use_errno=True)
    queue = libc.fanotify_init(CLOEXEC | NONBLOCK | UNLIMITED_QUEUE, os.O_RDONLY | os.O_CLOEXEC)
    if queue < 0:
        raise Failure(what, f"fanotify_init: {os.strerror(ctypes.get_errno())}", remedy)
    root = f"/proc/{pid}/root".encode()
    mask = ctypes.c_uint64(OPEN_EXEC)
    if libc.fanotify_mark(queue, MARK_ADD | MARK_FILESYSTEM, mask, AT_FDCWD, root):
        reason = os.strerror(ctypes.get_errno())
        os.close(queue)
        raise Failure(what, f"fanotify_mark: {reason}", remedy)
    return queue


def events(queue: int) -> Iterator[str]:
    """Read the paths of the programs that were executed."""
    while True:
        try:
            block = os.read(queue, 64 * EVENT.size)  # each event opens a file: few at a time
        except BlockingIOError:
            return
        yield from (path_of(*fields) for fields in EVENT.iter_unpack(block))


def path_of(_length: int, _version: int, _reserved: int, _metadata: int, mask: int, file: int, _pid: int) -> str:
    """Return an event's path and close its file."""
    if mask & OVERFLOW:
        raise Failure("the count of programs is not complete", "the kernel's queue overflowed", "watch a shorter block")
    try:
        return os.readlink(f"/proc/self/fd/{file}")
    finally:
        os.close(file)
