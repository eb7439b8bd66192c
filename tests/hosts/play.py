"""Run the product's playbooks against a stand-in, exactly as a user types them."""

import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from . import cache


class Run(NamedTuple):
    """What one ansible-playbook run did."""

    code: int
    output: str

    @property
    def text(self) -> str:
        """The output with line breaks and Ansible's escapes undone, to look for sentences in it."""
        return re.sub(r"\s+", " ", self.output.replace('\\"', '"'))

    def count(self, host: str, what: str) -> int:
        """A number of the recap: ok, changed, failed, ..."""
        line = re.findall(rf"^{host}\s+: .*$", self.output, re.MULTILINE)[-1]
        return int(re.search(rf"{what}=(\d+)", line)[1])


def inventory(name: str) -> Path:
    """The inventory that `python3 -m tests.hosts up NAME` wrote."""
    return cache.directory(name) / "pis.ini"


def clean_environment() -> dict[str, str]:
    """What Molecule sets for its own runs, a user has not set."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "MOLECULE_"))}


def playbook(
    name: str, *arguments: str, book: str = "site.yml", timeout: float = 600, other: Path | None = None
) -> Run:
    """Run a playbook of the checkout against the hosts NAME, by their inventory or by another one."""
    command = ["ansible-playbook", book, "-i", str(other or inventory(name)), *arguments]
    done = subprocess.run(
        command,
        cwd=cache.REPOSITORY,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )
    print(done.stdout)
    return Run(done.returncode, done.stdout)
