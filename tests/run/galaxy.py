"""What Galaxy says to the collection: its own importer reads the built archive, and has nothing to complain of."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.hosts.step import Failure, last_line, step

from . import collection, venv

LOCK = Path(__file__).parents[1] / "galaxy.txt"
# Required tags and flake8 are what servers other than galaxy.ansible.com ask for. ansible-test is a stage of its own.
CONFIGURATION = """[galaxy-importer]
check_required_tags = True
run_flake8 = True
run_ansible_test = False
"""
# A linter that fails in silence looks like one that finds nothing. With these both have something to find.
PLANTED = {
    "playbooks/planted.yml": "---\n- hosts: pis\n  tasks:\n    - ansible.builtin.shell: ls\n",
    "plugins/module_utils/planted.py": "import os\n",
}


def main() -> None:
    """Let it read the collection, and then the same one with faults that it has to find."""
    use_environment()
    with tempfile.TemporaryDirectory() as scratch:
        place, checkout = Path(scratch), Path(scratch) / "checkout"
        collection.copy(checkout)
        collection.forget_user(place / "home")
        os.chdir(place)
        with step("galaxy-importer"):
            refuse_complaints(complaints(collection.build(checkout, place)))
        refuse_gaps(checkout, json.loads(Path("importer_result.json").read_text()))
        for name, text in PLANTED.items():
            (checkout / name).write_text(text)
        with step("galaxy-importer, with planted faults"):
            refuse_blindness(complaints(collection.build(checkout, place)))


def use_environment() -> None:
    """Let programs come from the environment that holds the importer and what makes the documentation."""
    os.environ["PATH"] = f"{venv.main([], lock=LOCK, name='galaxy') / 'bin'}{os.pathsep}{os.environ['PATH']}"


def complaints(archive: Path) -> list[str]:
    """Run the importer; return what it says beside the names of what it loads."""
    Path("galaxy-importer.cfg").write_text(CONFIGURATION)
    # Python's own warnings are about the importer.
    more = {"GALAXY_IMPORTER_CONFIG": str(Path("galaxy-importer.cfg").resolve()), "PYTHONWARNINGS": "ignore"}
    command = ["python", "-m", "galaxy_importer.main", archive]
    done = subprocess.run(command, env={**os.environ, **more}, capture_output=True, text=True, check=False)
    print(done.stdout + done.stderr, flush=True)
    if done.returncode:
        raise Failure("galaxy-importer refuses the collection", last_line(done.stdout + done.stderr), "mend that")
    logged = [line for line in done.stdout.splitlines() if line.startswith(("WARNING:", "ERROR:", "CRITICAL:"))]
    return logged + done.stderr.splitlines()


def refuse_complaints(found: list[str]) -> None:
    """Galaxy would show them to whoever uploads it, or refuse it."""
    if found:
        raise Failure(f"galaxy-importer complains {len(found)} times", found[0], "mend what the lines above name")


def refuse_gaps(checkout: Path, result: dict[str, Any]) -> None:
    """See that it found all there is, and that Galaxy has something to show of it."""
    blob = result["docs_blob"]
    found = {(one["content_type"], one["name"]) for one in result["contents"] if one["content_type"] == "playbook"}
    found |= {(one["content_type"], one["content_name"]) for one in blob["contents"] if has_text(one)}
    found |= {("page", page["name"]) for page in blob["documentation_files"] if page["html"]}
    wanted = {(kind, name) for kind, names in collection.documented(checkout).items() for name in names}
    wanted |= {("playbook", path.name) for path in (checkout / "playbooks").glob("*.yml")}
    wanted |= {("page", path.name) for path in (checkout / "docs").glob("*.md")}
    missing = [" ".join(one) for one in sorted(wanted - found)]
    if missing or not {"module", "filter", "role", "playbook", "page"} <= {kind for kind, _name in wanted}:
        raise Failure("galaxy-importer shows nothing of", ", ".join(missing) or "whole kinds", "see its result")
    print(f"shown by Galaxy: {len(wanted)} modules, filters, roles, playbooks and pages", flush=True)


def has_text(content: dict[str, Any]) -> bool:
    """Tell whether Galaxy can show more than its name."""
    return bool(content["doc_strings"] or content["readme_html"])


def refuse_blindness(found: list[str]) -> None:
    """See that each planted fault was named."""
    unseen = [name for name in PLANTED if not any(name in line for line in found)]
    if unseen:
        raise Failure("galaxy-importer is blind", f"it says nothing of {', '.join(unseen)}", "see why its linters fail")


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(str(failure))
