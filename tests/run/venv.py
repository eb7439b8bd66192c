"""The Python environment of all other stages, with the locked packages.

python3 -m tests.run.venv [PACKAGE...]: only these of the locked packages, all of them if none is named.
"""

from __future__ import annotations

import shutil
import sys
import sysconfig
from pathlib import Path

from tests.hosts import cache, package
from tests.hosts.step import Failure, run, step, tell

LOCK = Path(__file__).parents[1] / "requirements.txt"
ALL = "all"


def main(packages: list[str], lock: Path = LOCK, name: str = "venv") -> Path:
    """Make the environment unless it is there with what is wanted; return where it is."""
    place = cache.directory(name)
    recipe = cache.fingerprint(lock.read_bytes(), sys.version, sys.base_prefix, str(place))
    mark = place / ".complete"
    wanted = " ".join(sorted(packages)) or ALL
    found = mark.read_text().splitlines() if mark.exists() else []
    if found[:1] == [recipe] and found[1] in (wanted, ALL):
        tell(f"venv: {place} is there")
        return place
    mark.unlink(missing_ok=True)
    if found[:1] != [recipe]:
        create(place)
    install(place, packages, lock)
    mark.write_text(f"{recipe}\n{wanted}\n")
    return place


def create(place: Path) -> None:
    """Make an empty environment of this Python."""
    # Debian splits this off its Python; on its own, `python3 -m venv` would only tell so.
    ensurepip = Path(sysconfig.get_path("stdlib")) / "ensurepip" / "__init__.py"
    package.ensure({str(ensurepip): "python3-venv"})
    with step(f"python3 -m venv {place}"):
        shutil.rmtree(place)
        run([sys.executable, "-m", "venv", place], f"cannot make {place}", "look at this Python")


def install(place: Path, packages: list[str], lock: Path) -> None:
    """Install all locked packages, or some in their locked versions."""
    what = ["--constraint", lock, *packages] if packages else ["--requirement", lock]
    pip = [place / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "--quiet"]
    with step(f"pip install {' '.join(packages) or lock.name}"):
        run([*pip, "install", *what], "pip failed", "look at the network and pip's configuration")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Failure as failure:
        sys.exit(str(failure))
