"""The broker's heap follows from the host's memory."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from jinja2.nativetypes import NativeEnvironment

ROLE = Path(__file__).parents[3] / "roles" / "kraft_broker"
VARIABLES = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())


def heap(memtotal_mb: int, wanted: int | str = 0) -> int:
    template = NativeEnvironment().from_string(VARIABLES["_kraft_broker_heap_mb"].strip())
    return int(template.render(kraft_broker_heap_mb=wanted, ansible_facts={"memtotal_mb": memtotal_mb}))


# MemTotal of Raspberry Pis is below what they are sold with: the firmware and the kernel keep a part.
@pytest.mark.parametrize(
    ("memtotal_mb", "expected"), [(906, 256), (1849, 256), (3793, 448), (7809, 960), (16000, 1024)]
)
def test_the_heap_is_an_eighth_of_the_memory_within_bounds(memtotal_mb: int, expected: int) -> None:
    assert heap(memtotal_mb) == expected


def test_a_kernel_that_leaves_a_little_more_memory_changes_nothing() -> None:
    assert heap(7809) == heap(7830)


@pytest.mark.parametrize("wanted", [512, "512"])
def test_a_heap_that_is_set_is_taken(wanted: int | str) -> None:
    assert heap(7809, wanted) == 512
