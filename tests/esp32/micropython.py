"""MicroPython of Debian 13 on whichever Debian or Ubuntu the tests run on."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from tests.hosts import cache, package
from tests.hosts.step import Failure, run, step

SUITE = "trixie"
VERSION = "1.25"
# Packages are only unpacked, so that nothing of this machine is touched and no system is needed around them.
RECIPE = ("--variant=extract", "--include=micropython", SUITE)


def command() -> list[str | Path]:
    """Return the command that runs it; fetch it unless that was done before.

    It is given the loader and the libraries of its own release: those of this machine may be older.
    """
    root = cache.directory("_micropython") / cache.fingerprint(*RECIPE)
    if not root.exists():
        fetch(root)
    found = [*root.glob("usr/lib*/ld-linux*"), *root.glob("usr/lib/*/ld-linux*")]
    libraries = [path for path in root.glob("usr/lib/*-linux-*") if path.is_dir()]
    if not found or not libraries:
        raise Failure("MicroPython cannot run", f"{root} lacks its loader", "remove that folder")
    whole: list[str | Path] = [found[0], "--library-path", libraries[0], root / "usr" / "bin" / "micropython"]
    says = run([*whole, "-c", "import sys; print(sys.version)"], "MicroPython does not run", f"remove {root}")
    if f"MicroPython v{VERSION}." not in says:
        raise Failure(f"this is no MicroPython {VERSION}", says, "change VERSION of tests/esp32/micropython.py")
    return whole


def fetch(root: Path) -> None:
    """Unpack it beside its place first: a half-unpacked one is never taken for it."""
    package.ensure(
        {"mmdebstrap": "mmdebstrap", "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring"}
    )
    part = root.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    with tempfile.TemporaryDirectory() as scratch, step(f"MicroPython of {SUITE}"):
        tar = Path(scratch) / "micropython.tar"
        run(package.as_root(["mmdebstrap", *RECIPE, tar]), f"mmdebstrap {SUITE} failed", "look at the network")
        run(["tar", "-xf", tar, "-C", part, "./usr"], "cannot unpack MicroPython", "look at the disk")
    part.rename(root)
