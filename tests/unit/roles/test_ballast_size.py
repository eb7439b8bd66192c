"""Which sizes of the ballast are refused before anything changes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from jinja2.nativetypes import NativeEnvironment

PREFLIGHT = Path(__file__).parents[3] / "roles" / "kraft_broker" / "tasks" / "preflight.yml"


def allowed(size: int | str) -> bool:
    tasks = yaml.safe_load(PREFLIGHT.read_text())
    (task,) = [one for one in tasks if one["name"] == "Refuse contradictory settings"]
    (condition,) = [one for one in task["ansible.builtin.assert"]["that"] if "ballast" in one]
    return NativeEnvironment().from_string("{{ " + condition + " }}").render(kraft_broker_ballast_mb=size)


@pytest.mark.parametrize(
    ("size", "good"), [(0, True), ("0", True), (96, True), ("128", True), (95, False), (-1, False)]
)
def test_a_ballast_gives_more_than_what_a_full_disk_waits_for(size: int | str, good: bool) -> None:
    assert allowed(size) == good
