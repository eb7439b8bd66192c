"""A first and a second run of site.yml on 1, 3 and 5 bare hosts: does the time grow with their number?"""

from __future__ import annotations

from tests.hosts import host, inventory

from .pi import deploy

SET = "benchhosts"
COUNTS = (1, 3, 5)


def main() -> str:
    rows = [measure(count) for count in COUNTS]
    lines = [f"  {count:>5}  {first:>9.1f}  {second:>10.1f}" for count, first, second in rows]
    return "\n".join(
        [
            "site.yml on several hosts that are one cluster",
            "  hosts  first, s  second, s",
            *lines,
            "  All hosts and the control node share this machine's CPUs; hosts of their own would not.\n",
        ]
    )


def measure(count: int) -> tuple[int, float, float]:
    """Return the seconds of a first and a second run."""
    with host.fresh(SET, count, example=inventory.CLUSTER):
        (_run, first), (_again, second) = deploy(SET), deploy(SET)
    return count, first, second
