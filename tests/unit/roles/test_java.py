"""A Java that is too old is refused, however often one tries."""

from __future__ import annotations

from pathlib import Path

import yaml

TASKS = yaml.safe_load((Path(__file__).parents[3] / "roles" / "java" / "tasks" / "main.yml").read_text())


def test_the_version_is_judged_whether_or_not_something_was_installed() -> None:
    ask, refuse = (task for task in TASKS if "ansible.builtin.include_role" not in task)
    assert "when" not in ask
    assert refuse["ansible.builtin.assert"]["that"] == "__java_version.stdout | int >= 17"
    assert refuse["when"] == "not ansible_check_mode", "a dry run may have no Java yet"
