"""The collection's playbooks, run as their user runs them, and hosts that answer what a test tells them to."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
SECONDS = 600
# What modules find on a Raspberry Pi on which nothing of this collection is.
FACTS: dict[str, Any] = {
    "userspace_bits": "64",
    "pkg_mgr": "apt",
    "service_mgr": "systemd",
    "python_version": "3.11.2",
    "distribution": "Debian",
    "distribution_version": "12",
    "distribution_major_version": "12",
    "memtotal_mb": 3793,
    "default_ipv4": {"address": "192.0.2.5"},
    "interfaces": [],
}
CHECKED = {"warnings_found": [], "machine_id": "a", "hostname": "pi", "disk_size": 30 << 30}
UNFORMATTED = {"cluster_id": "", "node_id": 1, "recorded": False, "fresh": True, "changed": True, "directory_id": ""}
# It stands in the place of a host's Python. Instead of running a module it keeps the options that the module was given,
# and prints the module's next answer, or again its last one; of one that Ansible does not wait for, that it runs.
_INTERPRETER = """\
#!{python}
import ast, json, pathlib, re, sys
folder = pathlib.Path(__file__).parent
# What Ansible does not wait for comes as: async_wrapper.py JOB SECONDS MODULE.
source = open(sys.argv[4]) if len(sys.argv) > 4 else sys.stdin
literal = re.search("=\\\\s*('[{{].ANSIBLE_MODULE_ARGS.*'),?$", source.read(), re.MULTILINE)[1]
given = json.loads(ast.literal_eval(literal))["ANSIBLE_MODULE_ARGS"]
module = given["_ansible_module_name"].rpartition(".")[2]
answers = json.loads((folder / "answers.json").read_text()).get(module, [{{}}])
calls = folder / module
calls.mkdir(exist_ok=True)
number = len(list(calls.iterdir()))
(calls / f"{{number:03}}").write_text(json.dumps(given))
if len(sys.argv) > 4:
    answers = [{{"ansible_job_id": sys.argv[2], "started": 1, "finished": 0}}]
print(json.dumps(answers[min(number, len(answers) - 1)]))
"""


def run(tmp_path: Path, inventory: str, *arguments: str, book: str, python: str = sys.executable) -> tuple[int, str]:
    """Run a playbook of the checkout or of `tmp_path`; returns its exit code and what its user reads."""
    path = tmp_path / "pis.ini"
    path.write_text(inventory)
    command = [python, "-m", "ansible", "playbook", book, "-i", str(path), *arguments]
    # Nothing of the person who runs the tests: no cache, no configuration, no collections.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache"), "ANSIBLE_NOCOLOR": "1"}
    environment |= {"ANSIBLE_LOCAL_TEMP": str(tmp_path / "tmp"), "ANSIBLE_REMOTE_TEMP": str(tmp_path / "remote")}
    environment |= {"COLUMNS": "200", "PATH": os.environ["PATH"]}
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    said = done.stdout + done.stderr
    assert "unreachable=1" not in said
    assert "Traceback" not in said
    return done.returncode, said


class Host:
    """A host of an inventory on which nothing is run: its modules answer what a test tells them to."""

    def __init__(self, root: Path, name: str, answers: dict[str, list[dict[str, Any]]], **variables: Any) -> None:
        """Make it below `root`. `answers`: module -> what it returns, call by call; others return nothing."""
        self.name, self.folder = name, root / name
        self.folder.mkdir(parents=True)
        interpreter = self.folder / "python"
        interpreter.write_text(_INTERPRETER.format(python=sys.executable))
        interpreter.chmod(0o755)
        (self.folder / "answers.json").write_text(json.dumps(answers))
        self.variables = {
            "ansible_connection": "local",
            "ansible_become": False,
            "ansible_python_interpreter": str(interpreter),
            **variables,
        }

    def line(self) -> str:
        """Its line in an inventory."""
        return " ".join(
            [self.name, *(f"{name}={shlex.quote(json.dumps(one))}" for name, one in self.variables.items())]
        )

    def given(self, module: str) -> list[dict[str, Any]]:
        """The options of each call of a module, and what Ansible adds to them."""
        return [json.loads(call.read_text()) for call in sorted((self.folder / module).glob("*"))]


def bare(name: str, facts: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """What modules answer on a Raspberry Pi that has nothing but the release."""
    return {
        "setup": [{"ansible_facts": {**FACTS, **facts}}],
        "pi_host_check": [{**CHECKED, "machine_id": name, "hostname": name}],
        "stat": [{"stat": {"exists": True}}],
        "command": [{"rc": 0, "stdout": "", "stderr": ""}],
        "kraft_format": [UNFORMATTED],
        "unit_started": [{"done": True, "active": False}],
        "mosquitto_users": [{"users": []}],
    }


def failures(said: str) -> dict[str, tuple[str, str]]:
    """Host -> the task in which it failed, and the message."""
    found, task = {}, ""
    for line in said.splitlines():
        if named := re.match(r"TASK \[(?:raspi\.kafka\.)?(.*)\] \*+$", line):
            task = named[1]
        if failed := re.match(
            r"(?:fatal|failed): \[(\S+?)(?: -> \S+)?\](?:: FAILED!| \(item=.*?\)) => (\{.*\})$", line
        ):
            found[failed[1]] = task, json.loads(failed[2]).get("msg", failed[2])
    return found
