"""Programs of an arm64 Pi on another processor, by qemu."""

import platform
from pathlib import Path

from . import package
from .step import Failure, ImpossibleError, run, step, tell

ARM64 = "arm64"
NATIVE = {"x86_64": "amd64", "aarch64": ARM64}.get(platform.machine(), platform.machine())
REGISTRY = Path("/proc/sys/fs/binfmt_misc")
ENTRY = REGISTRY / "raspi-kafka-aarch64"
# By this name qemu knows that it is told the program's own name too (flag P).
INTERPRETER = "/usr/libexec/qemu-binfmt/aarch64-binfmt-P"
# The head of an ELF file: 64 bits, little-endian, any ABI; an executable or a library; machine 183, which is AArch64
# (System V ABI, ELF header).
MAGIC = bytes.fromhex("7f454c460201010000000000000000000200b700")
MASK = bytes.fromhex("ffffffffffffff00fffffffffffffffffeffffff")
# P: see above. O and F: the interpreter is opened at once, so that it need not be in a container.
# C: sudo in a container gets root's rights. Debian's own entry lacks that.
FLAGS = "POCF"


def timeout_factor(arch: str) -> int:
    """Return the pi_host_timeout_factor of a host: emulated on a 2-core x86-64 machine, Kafka took 50 s to start."""
    return 1 if arch == NATIVE else 5


def up() -> None:
    """Register qemu for AArch64 with this kernel, until the machine is booted again.

    :raises ImpossibleError: this kernel, or this container, does not allow it.
    :raises Failure: the packages cannot be installed.
    """
    open_registry()
    if ENTRY.exists():
        tell(f"emulation: {ENTRY} is there")
        return
    package.ensure({INTERPRETER: "qemu-user-static", "arch-test": "arch-test"})
    with step("register qemu for AArch64"):
        register()


def open_registry() -> None:
    """Mount what the kernel registers interpreters with."""
    if (REGISTRY / "register").exists():
        return
    as_root(["mount", "-t", "binfmt_misc", "none", REGISTRY])


def register() -> None:
    """Write the entry; the newest one of several wins."""
    as_root(["tee", REGISTRY / "register"], entry())


def entry() -> str:
    """Return the line that the kernel reads."""
    return f":{ENTRY.name}:M::{escaped(MAGIC)}:{escaped(MASK)}:{INTERPRETER}:{FLAGS}"


def as_root(command: list[str | Path], text: str | None = None) -> None:
    """Do what not every kernel and container allows."""
    command = package.as_root(command)
    try:
        run(command, "arm64 cannot be emulated here", "run it on another machine", stdin=text)
    except Failure as failure:
        raise ImpossibleError(str(failure)) from failure


def escaped(data: bytes) -> str:
    """Write bytes as the kernel reads them."""
    return "".join(f"\\x{byte:02x}" for byte in data)
