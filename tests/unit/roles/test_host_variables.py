"""What the roles' own variables make of what was found on a host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import ChainableUndefined
from jinja2.nativetypes import NativeEnvironment

ROLES = Path(__file__).parents[3] / "roles"
GIB = 1 << 30


def variable(role: str, name: str, **facts: Any) -> Any:
    first, *rest = name.split("/")
    text = yaml.safe_load((ROLES / role / "vars" / "main.yml").read_text())[first]
    for key in rest:
        text = text[key]
    return NativeEnvironment(undefined=ChainableUndefined).from_string(str(text).strip()).render(facts)


@pytest.mark.parametrize(
    ("checked", "extra", "written"),
    [
        ({"retention_bytes": 268435456}, {}, 268435456),
        ({"retention_bytes": 268435456}, {"log.retention.bytes": "1000000"}, 1000000),
        (None, {}, GIB),
    ],
    ids=["as judged", "of kraft_broker_extra_config", "the role alone"],
)
def test_the_retention_that_is_written_is_the_one_that_was_judged(checked: Any, extra: Any, written: int) -> None:
    facts = {"_kraft_broker_extra_config": extra, **({"__pi_host_check": checked} if checked else {})}
    assert variable("kraft_broker", "_kraft_broker_retention_bytes", **facts) == written


def test_what_is_judged_does_not_depend_on_what_the_check_has_yet_to_find() -> None:
    (check,) = [
        task["raspi.kafka.pi_host_check"]
        for task in yaml.safe_load((ROLES / "pi_host" / "tasks" / "preflight.yml").read_text())
        if "raspi.kafka.pi_host_check" in task
    ]
    topics = yaml.safe_load((ROLES / "pi_host" / "vars" / "main.yml").read_text())["_pi_host_topics"]
    assert "_kraft_broker_retention_bytes" not in f"{check}{topics}"


@pytest.mark.parametrize(("in_force", "written"), [(65530, 1048576), (2097152, 2097152)])
def test_a_larger_number_of_maps_is_never_lowered(in_force: int, written: int) -> None:
    facts = {"__pi_host_check": {"max_map_count": in_force}}
    assert variable("pi_host", "_pi_host_sysctls/vm.max_map_count", **facts) == written
    assert variable("pi_host", "_pi_host_sysctls/vm.max_map_count") == 1048576
