"""What a host looks like from outside Ansible, and what differs between two looks.

A second run of a playbook must leave no difference: "changed=0" is only what Ansible says of itself.
"""

import json
from pathlib import Path
from typing import Any

from . import engine

LOOK = Path(__file__).parent / "look.py"

# Each with its reason. Whatever is not here counts.
LEFT_OUT = {
    "/proc": "the kernel's",
    "/sys": "the kernel's",
    "/dev": "the kernel's",
    "/run": "in memory; what matters of it is in the services",
    "/tmp": "scratch by definition, Ansible's modules use it",
    "/var/tmp": "scratch by definition",
    "/var/log": "grows with each login",
    "/root/.ansible": "Ansible's own scratch",
    "/home/pi/.ansible": "Ansible's own scratch",
    "/var/lib/systemd/timers": "systemd notes there when a timer last ran",
    "/var/lib/kafka/data": "a running broker writes there by itself; what a deploy writes is in KEPT",
    "/var/lib/raspi-kafka-telemetry": "the agent notes its numbers there each hour, and what Mosquitto does not take",
    "/var/lib/mosquitto": "a running Mosquitto writes its sessions and queues there every few seconds",
}
KEPT = {"/var/lib/kafka/data": ["meta.properties", "bootstrap.checkpoint"]}
SERVICES_LEFT_OUT = {
    "systemd-tmpfiles-clean.service": "its timer runs it a quarter of an hour after boot",
    "e2scrub_all.service": "its timer runs it once a week",
}


def snapshot(
    container: str, *, left_out: dict[str, str] | None = None, extra: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Look at a host; `left_out` adds paths with reasons, `extra` adds sections such as the topics' configs."""
    asked = json.dumps({"left_out": [*LEFT_OUT, *(left_out or {})], "kept": KEPT})
    what, remedy = f"cannot look at {container}", "look whether it runs and has python3: docker ps"
    arguments = ("exec", "--interactive", container, "python3", "-", asked)
    seen = json.loads(engine.docker(*arguments, what=what, remedy=remedy, stdin=LOOK.read_text()))
    seen["services"] = {name: unit for name, unit in seen["services"].items() if name not in SERVICES_LEFT_OUT}
    return {**seen, **(extra or {})}


def difference(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Say in one line each what came, went and changed; an empty list means that nothing did."""
    sections = sorted({*before, *after})
    return [line for name in sections for line in section_difference(name, before.get(name, {}), after.get(name, {}))]


def section_difference(section: str, before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Compare one section."""
    gone = [f"{section}: - {key}" for key in sorted(before.keys() - after.keys())]
    new = [f"{section}: + {key}" for key in sorted(after.keys() - before.keys())]
    both = sorted(before.keys() & after.keys())
    changed = [f"{section}: {key}: {changes(before[key], after[key])}" for key in both if before[key] != after[key]]
    return gone + new + changed


def changes(before: Any, after: Any) -> str:
    """Say what changed about one thing."""
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return f"{before} -> {after}"
    names = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    return ", ".join(f"{name} {before.get(name)} -> {after.get(name)}" for name in names)
