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


def main(packages: list[str]) -> None:
    """Make the environment unless it is there with what is wanted."""
    place = cache.directory("venv")
    recipe = cache.fingerprint(LOCK.read_bytes(), sys.version, sys.base_prefix, str(place))
    mark = place / ".complete"
    wanted = " ".join(sorted(packages)) or ALL
    found = mark.read_text().splitlines() if mark.exists() else []
    if found[:1] == [recipe] and found[1] in (wanted, ALL):
        tell(f"venv: {place} is there")
        return
    mark.unlink(missing_ok=True)
    if found[:1] != [recipe]:
        create(place)
    install(place, packages)
    mark.write_text(f"{recipe}\n{wanted}\n")


def create(place: Path) -> None:
    """Make an empty environment of this Python."""
    # Debian splits this off its Python; on its own, `python3 -m venv` would only tell so.
    ensurepip = Path(sysconfig.get_path("stdlib")) / "ensurepip" / "__init__.py"
    package.ensure({str(ensurepip): "python3-venv"})
    with step(f"python3 -m venv {place}"):
        shutil.rmtree(place)
        run([sys.executable, "-m", "venv", place], f"cannot make {place}", "look at this Python")


def install(place: Path, packages: list[str]) -> None:
    """Install all locked packages, or some in their locked versions."""
    what = ["--constraint", LOCK, *packages] if packages else ["--requirement", LOCK]
    pip = [place / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "--quiet"]
    with step(f"pip install {' '.join(packages) or LOCK.name}"):
        run([*pip, "install", *what], "pip failed", "look at the network and pip's configuration")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Failure as failure:
        sys.exit(str(failure))
