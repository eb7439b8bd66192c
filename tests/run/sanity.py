"""ansible-test sanity, on a copy: it refuses a checkout that is not at .../ansible_collections/raspi/kafka."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from tests.hosts import cache
from tests.hosts.step import Failure, run

from . import collection, pythons

GET_PIP = "import ensurepip, sys\nsys.argv = sys.argv[:1]\nensurepip.bootstrap()\n"
# Of its tests, those that read plugins; each says that it runs, or that it has no targets.
MUST_RUN = {"ansible-doc", "compile", "import", "pep8", "pylint", "runtime-metadata", "validate-modules", "yamllint"}


def main() -> int:
    """Copy, run, and see that it really ran."""
    root = cache.directory("sanity")
    tree = copy(root / "ansible_collections" / "raspi" / "kafka")
    home = make_home(root / "home")
    environment = ["env", "--unset=PYTHONPATH", f"HOME={home}"]
    command = ["ansible-test", "sanity", "--local", "--requirements", "--color", "no", "--python", pythons.OWN]
    with subprocess.Popen(
        [*environment, *command], cwd=tree, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        lines = []
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    refuse_false_green("".join(lines))
    return process.returncode


def copy(tree: Path) -> Path:
    """Copy the checkout as it is now into a repository of its own: within ours, everything here is ignored."""
    shutil.rmtree(tree, ignore_errors=True)
    collection.copy(tree, ".collections")
    run(["git", "init", "--quiet", tree], "git init failed", "look at this git")
    return tree


def make_home(home: Path) -> Path:
    """Keep ansible-test's environments in the cache, with pip from this Python instead of from a server."""
    versions = Path(find_spec("ansible_test").origin).parent / "_internal" / "python_requirements.py"
    bootstrap = home / ".ansible" / "test" / "cache"
    bootstrap.mkdir(parents=True, exist_ok=True)
    for version in re.findall(r"\bpip='([\d.]+)'", versions.read_text()):
        (bootstrap / f"get_pip_{version.replace('.', '_')}.py").write_text(GET_PIP)
    lend_pip_configuration(home)
    return home


def lend_pip_configuration(home: Path) -> None:
    """Let pip find what the user has told it, for instance a mirror."""
    for name in (".config/pip", ".pip"):
        theirs, ours = Path.home() / name, home / name
        if theirs.exists() and not ours.is_symlink():
            ours.parent.mkdir(parents=True, exist_ok=True)
            ours.symlink_to(theirs)


def refuse_false_green(output: str) -> None:
    """ansible-test that finds nothing to test says so and succeeds."""
    ran = set(re.findall(r'^Running sanity test "([\w-]+)"', output, re.MULTILINE))
    if "All targets skipped" in output or MUST_RUN - ran:
        missing = ", ".join(sorted(MUST_RUN - ran)) or "all targets"
        raise Failure("ansible-test has tested nothing", f"not run: {missing}", "look at its output")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(str(failure))
