"""A small disk for Kafka's records: a file system of its own, which can be full."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from . import host, package
from .step import run

DATA = "/var/lib/kafka/data"
SERVE = f"chown kafka:kafka {DATA} && chmod 750 {DATA} && systemctl start kafka"


@contextlib.contextmanager
def small(pi: host.Host, mebibytes: int, *, forget: bool = False) -> Iterator[None]:
    """Move a host's records to a file system on a loop device, and back in the end with all that came meanwhile.

    :param forget: give the host back what it had before in place of that, which a node of a cluster must not do.
    """
    with loop(mebibytes) as device:
        host.as_root(pi, f"systemctl stop kafka && mv {DATA} {DATA}.large && mkdir {DATA}")
        mount(pi, device)
        # Kafka takes each directory for a partition.
        host.as_root(pi, f"rmdir {DATA}/lost+found && cp -a {DATA}.large/. {DATA}/ && {SERVE}")
        try:
            yield
        finally:
            keep = "true" if forget else f"rm -r {DATA}.large && cp -a {DATA} {DATA}.large"
            back = f"umount {DATA} && rmdir {DATA} && mv {DATA}.large {DATA}"
            host.as_root(pi, f"systemctl stop kafka; {keep} && {back} && {SERVE}")


@contextlib.contextmanager
def loop(mebibytes: int) -> Iterator[str]:
    """Return the loop device of a new ext4 of which root keeps nothing for itself."""
    package.ensure({"mkfs.ext4": "e2fsprogs", "losetup": "mount"})
    with tempfile.TemporaryDirectory(prefix="raspi-kafka-disk-") as folder:
        image = Path(folder) / "disk"
        done("truncate", f"--size={mebibytes}M", image)
        done("mkfs.ext4", "-q", "-m", "0", image)
        device = done("losetup", "--find", "--show", image)
        try:
            yield device
        finally:
            done("losetup", "--detach", device)


def mount(pi: host.Host, device: str) -> None:
    """Mount this machine's device over the records of a host, which may have no devices itself."""
    number = Path(device).name.removeprefix("loop")
    inside = f"mknod {device} b 7 {number}; mount {device} {DATA}; rm {device}"
    host.in_namespace(pi, "mnt", "sh", "-ec", inside)


def done(*command: str | Path) -> str:
    """Run a command of this machine as root; return what it prints."""
    return run(
        package.as_root([*command]), "there is no small disk", "look whether this machine has room for it"
    ).strip()
