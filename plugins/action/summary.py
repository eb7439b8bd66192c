# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

_HOPS = {
    "puback": "acknowledged by Mosquitto",
    "bridge": "at the bridge",
    "append": "from there in Kafka",
    "consumer": "read",
}


def proof_line(proof: dict[str, Any]) -> str:
    """One result of produce_consume, publish_consume or raise_resolve in words."""
    if "alert_id" in proof:
        told = [f"{state} once, {took} ms after" for state, took in proof["decided_ms"].items()]
        return f"{', '.join(told)} the message that decided was in Kafka"
    if "hops" in proof:
        times = [
            f"{said} after {proof['hops'][hop]['p50_ms']:.1f} / {proof['hops'][hop]['p99_ms']:.1f} ms"
            for hop, said in _HOPS.items()
            if hop in proof["hops"]
        ]
        counts = (
            f"{proof['messages_published']} published over MQTT, {proof['records_consumed']} in Kafka in their order"
        )
        return f"{counts}; {', '.join(times)} (p50 / p99)"
    latency = ", ".join(f"{one['ack_p50_ms']:.1f} / {one['ack_p99_ms']:.1f} ms" for one in proof["brokers"])
    parts = [f"{proof['records_produced']} sent", f"{proof['records_consumed']} read from the beginning"]
    if proof.get("records_on_disk"):
        parts.append(f"{proof['records_on_disk']} found on disk")
    return f"{', '.join(parts)}; acknowledged in {latency} (p50 / p99)"


def lines(report: dict[str, Any], path: str) -> Iterator[str]:
    """The report as plain lines, with labels aligned."""
    facts = {**report["facts"], **{f"proof {place}": proof_line(one) for place, one in report["proofs"].items()}}
    width = max(map(len, facts), default=0)
    yield from ("", report["title"])
    for label, text in facts.items():
        yield f"  {label:<{width}}  {text}"
    for text in filter(None, report["warnings"]):
        yield f"  WARNING: {text}"
    for number, command in enumerate(report["next_commands"]):
        yield f"  {'next:' if number == 0 else '     '} {command}"
    yield from (f"  the same as JSON: {path}", "")


class ActionModule(ActionBase):
    """Prints on the control node; the documentation stands in the module of the same name."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        report_options = {
            "title": {"type": "str", "required": True},
            "facts": {"type": "dict", "default": {}},
            "proofs": {"type": "dict", "default": {}},
            "warnings": {"type": "list", "elements": "str", "default": []},
            "next_commands": {"type": "list", "elements": "str", "default": []},
        }
        _result, args = self.validate_argument_spec(
            argument_spec={
                "report": {"type": "dict", "required": True, "options": report_options},
                "path": {"type": "path", "required": True},
            }
        )
        path = Path(args["path"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(args["report"], indent=2, sort_keys=True) + "\n", encoding="utf-8")
        Display().display("\n".join(lines(args["report"], args["path"])))
        return {**result, "changed": False, "path": args["path"]}
