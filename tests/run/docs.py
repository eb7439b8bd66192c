"""The documentation as a site: made from the code without a warning, with a page for each module, filter and role."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

from tests.hosts import cache
from tests.hosts.step import Failure, run, step, tell

from . import collection, galaxy

ANSIBLE = "https://docs.ansible.com/projects/ansible/latest/"
# What antsibull-docs refers to by itself, and where Ansible's documentation has it.
LABELS = {
    "action_plugins": "plugins/action.html#action-plugins",
    "ansible_configuration_settings": "reference_appendices/config.html#ansible-configuration-settings",
    "common_return_values": "reference_appendices/common_return_values.html#common-return-values",
}


def main() -> None:
    """Lint the documentation, build the site, and see that every page is there."""
    galaxy.use_environment()
    command = ["antsibull-docs", "lint-collection-docs", "--plugin-docs", "--validate-collection-refs", "all"]
    show([*command, "--disallow-unknown-collection-refs", cache.REPOSITORY], "antsibull-docs refuses the documentation")
    site = start()
    refer_to_ansible(site)
    show([site / "build.sh"], "the site cannot be built")
    refuse_gaps(site / "build" / "html")
    tell(f"the site: {site / 'build' / 'html' / 'index.html'}")


def show(command: list[str | Path], what: str) -> None:
    """Run a command whose output names all that is wrong."""
    with step(" ".join(map(str, command))):
        if code := subprocess.run(command, check=False).returncode:
            raise Failure(what, f"exit {code}", "mend what the lines above name")


def start() -> Path:
    """Let antsibull-docs lay out a strict site anew."""
    site = cache.directory("docs")
    shutil.rmtree(site)
    site.mkdir(mode=0o700)  # it takes no other
    command = ["antsibull-docs", "sphinx-init", "--use-current", "--squash-hierarchy", "--fail-on-error"]
    names = ["--project", "raspi.kafka", "--title", "raspi.kafka", "--copyright", "raspi.kafka contributors"]
    show([*command, *names, "--dest-dir", site, "raspi.kafka"], "the site cannot be laid out")
    return site


def refer_to_ansible(site: Path) -> None:
    """Let references to Ansible's own documentation be judged by the modules that are installed.

    Sphinx would fetch lists of what there is from several servers. With this one a dead reference is refused, and a
    good one taken, whether or not they can be reached.
    """
    modules = json.loads(run(["ansible-doc", "--list", "--json", "ansible.builtin"], "ansible-doc failed", "run it"))
    pages = {
        f"ansible_collections.{name}_module": f"collections/{name.replace('.', '/')}_module.html" for name in modules
    }
    (site / "ansible.inv").write_bytes(inventory(LABELS | pages))
    with (site / "conf.py").open("a") as conf:
        conf.write(f"\nintersphinx_mapping = {{'ansible': ({ANSIBLE!r}, {str(site / 'ansible.inv')!r})}}\n")


def inventory(labels: dict[str, str]) -> bytes:
    """Write labels and their pages as Sphinx reads them; by itself it writes those of a site that it has built only."""
    head = "# Sphinx inventory version 2\n# Project: ansible\n# Version: latest\n# The rest is compressed using zlib.\n"
    lines = "".join(f"{label} std:label -1 {page} -\n" for label, page in sorted(labels.items()))
    return head.encode() + zlib.compress(lines.encode())


def refuse_gaps(html: Path) -> None:
    """See that each module, filter and role has its page, and that the first page leads to it."""
    first = (html / "index.html").read_text()
    names = collection.documented(cache.REPOSITORY)
    pages = [f"{name}_{kind}.html" for kind in names for name in names[kind]]
    missing = [page for page in pages if not (html / page).exists() or f'href="{page}' not in first]
    if missing or not all(names.values()):
        raise Failure("the site lacks pages", ", ".join(missing) or "of whole kinds", "see what was built")
    tell(f"pages of modules, filters and roles: {len(pages)}")


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(str(failure))
