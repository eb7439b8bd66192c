"""The Python environment of other stages, with the locked packages.

python3 -m tests.run.venv [--python VERSION] [PACKAGE...]: only these of the locked packages, all of them if none is
named; in an environment of its own for another Python than the one that runs this.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from tests.hosts import cache, package
from tests.hosts.step import CANNOT_BE_HAD, Failure, ImpossibleError, run, step, tell

from . import pythons

LOCK = Path(__file__).parents[1] / "requirements.txt"
ALL = "all"


def main(packages: list[str], version: str = pythons.OWN, lock: Path = LOCK, name: str = "") -> Path:
    """Make the environment unless it is there with what is wanted; return where it is.

    :raises ImpossibleError: there is no such Python here.
    """
    python, place = pythons.find(version), cache.directory(name) if name else pythons.environment(version)
    if not python:
        raise ImpossibleError(pythons.absent(version))
    recipe = cache.fingerprint(lock.read_bytes(), ask(python, "sys.version + sys.base_prefix"), str(place))
    mark = place / ".complete"
    wanted = " ".join(sorted(packages)) or ALL
    found = mark.read_text().splitlines() if mark.exists() else []
    if found[:1] == [recipe] and found[1] in (wanted, ALL):
        tell(f"venv: {place} is there")
        return place
    mark.unlink(missing_ok=True)
    if found[:1] != [recipe]:
        create(python, version, place)
    install(place, packages, lock)
    mark.write_text(f"{recipe}\n{wanted}\n")
    return place


def create(python: str, version: str, place: Path) -> None:
    """Make an empty environment of a Python."""
    # Debian splits this off its Python; on its own, `python3 -m venv` would only tell so.
    ensurepip = Path(ask(python, "sysconfig.get_path('stdlib')")) / "ensurepip" / "__init__.py"
    package.ensure({str(ensurepip): f"python{version}-venv"})
    # Whoever has activated the environment runs this by its Python, which is about to be removed.
    base = ask(python, "sys._base_executable")
    with step(f"{base} -m venv {place}"):
        shutil.rmtree(place)
        run([base, "-m", "venv", place], f"cannot make {place}", "look at this Python")


def ask(python: str, expression: str) -> str:
    """Return what a Python says of itself."""
    line = f"import sys, sysconfig; print({expression})"
    return run([python, "-c", line], f"{python} does not run", "look at this Python").strip()


def install(place: Path, packages: list[str], lock: Path) -> None:
    """Install all locked packages, or some in their locked versions."""
    what = ["--constraint", lock, *packages] if packages else ["--requirement", lock]
    pip = [place / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "--quiet"]
    with step(f"pip install {' '.join(packages) or lock.name}"):
        run([*pip, "install", *what], "pip failed", "look at the network and pip's configuration")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python3 -m tests.run.venv")
    parser.add_argument("--python", default=pythons.OWN, metavar="VERSION")
    parser.add_argument("packages", nargs="*", metavar="PACKAGE")
    options = parser.parse_args()
    try:
        main(options.packages, options.python)
    except Failure as failure:
        sys.exit(str(failure))
    except ImpossibleError as reason:
        tell(str(reason))
        sys.exit(CANNOT_BE_HAD)
