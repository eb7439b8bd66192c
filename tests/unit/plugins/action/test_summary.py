from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from ansible.errors import AnsibleError
from ansible_collections.raspi.kafka.plugins.action.summary import ActionModule, lines

PROOF = {
    "records_produced": 100,
    "records_consumed": 100,
    "records_on_disk": 100,
    "brokers": [{"ack_p50_ms": 1.234, "ack_p99_ms": 9.87}],
}


def printed(**report: Any) -> list[str]:
    whole = {
        "title": "pi1 is a Kafka gateway",
        "facts": {},
        "proofs": {},
        "warnings": [],
        "next_commands": [],
        **report,
    }
    return list(lines(whole, "/cache/pi1.json"))


def test_the_smallest_report_is_a_title_and_a_path_between_empty_lines() -> None:
    assert printed() == ["", "pi1 is a Kafka gateway", "  the same as JSON: /cache/pi1.json", ""]


def test_facts_keep_their_order_and_are_aligned() -> None:
    assert printed(facts={"topics": "telemetry", "for clients": "10.0.0.5:9092"})[2:4] == [
        "  topics       telemetry",
        "  for clients  10.0.0.5:9092",
    ]


def test_a_proof_says_what_was_sent_read_and_found_and_how_fast() -> None:
    assert printed(proofs={"on the Pi": PROOF})[2] == (
        "  proof on the Pi  100 sent, 100 read from the beginning, 100 found on disk; "
        "acknowledged in 1.2 / 9.9 ms (p50 / p99)"
    )


def test_a_proof_of_a_device_says_how_long_each_hop_took_on_the_way() -> None:
    times = {hop: {"p50_ms": 1.04, "p99_ms": 2.0} for hop in ("consumer", "append", "bridge", "puback")}
    proof = {"messages_published": 20, "records_consumed": 20, "hops": times}
    assert printed(proofs={"of a device": proof})[2] == (
        "  proof of a device  20 published over MQTT, 20 in Kafka in their order; acknowledged by Mosquitto after "
        "1.0 / 2.0 ms, at the bridge after 1.0 / 2.0 ms, from there in Kafka after 1.0 / 2.0 ms, read after "
        "1.0 / 2.0 ms (p50 / p99)"
    )
    del times["bridge"], times["append"]
    assert "bridge" not in printed(proofs={"of a device": proof})[2]


def test_a_proof_that_did_not_look_at_the_disk_does_not_claim_it() -> None:
    assert "disk" not in printed(proofs={"from the control node": {**PROOF, "records_on_disk": None}})[2]


def test_a_proof_says_the_latency_of_each_broker() -> None:
    both = {**PROOF, "brokers": [*PROOF["brokers"], {"ack_p50_ms": 2, "ack_p99_ms": 30}]}
    assert "acknowledged in 1.2 / 9.9 ms, 2.0 / 30.0 ms (p50 / p99)" in printed(proofs={"on the Pi": both})[2]


def test_fewer_records_read_than_sent_can_be_seen() -> None:
    assert "100 sent, 99 read" in printed(proofs={"on the Pi": {**PROOF, "records_consumed": 99}})[2]


def test_facts_and_proofs_are_aligned_together() -> None:
    both = printed(facts={"topics": "telemetry"}, proofs={"on the Pi": PROOF})
    assert both[2].index("telemetry") == both[3].index("100 sent")


def test_warnings_that_do_not_apply_leave_no_line() -> None:
    assert [line for line in printed(warnings=["", "Plaintext.", ""]) if "WARNING" in line] == ["  WARNING: Plaintext."]


def test_next_commands_stand_below_each_other_ready_to_copy() -> None:
    assert printed(next_commands=["ssh pi1 kafka topics", "ansible-playbook x"])[2:4] == [
        "  next: ssh pi1 kafka topics",
        "        ansible-playbook x",
    ]


def run(path: Path, report: dict[str, Any]) -> dict[str, Any]:
    """Run the action of a task with these arguments."""
    task = MagicMock(args={"report": report, "path": str(path)}, async_val=0, check_mode=False)
    needs = dict.fromkeys(("connection", "play_context", "loader", "templar", "shared_loader_obj"), MagicMock())
    action = ActionModule(task=task, **needs)
    action._load_name = "summary"  # as Ansible's loader does
    return action.run(task_vars={})


def test_the_file_holds_the_report_as_json_in_place_of_the_last_one(tmp_path: Path) -> None:
    path = tmp_path / "summary" / "pi1.json"
    report = {
        "title": "pi1 is a Kafka gateway",
        "facts": {"topics": "telemetry (was misst, wie heiß)"},
        "proofs": {"on the Pi": PROOF},
        "warnings": ["Plaintext."],
        "next_commands": ["ssh pi1 kafka topics"],
    }
    for one in ({**report, "warnings": ["an older and longer one"] * 9}, report):
        assert run(path, one) == {"changed": False, "path": str(path)}
    assert json.loads(path.read_text(encoding="utf-8")) == report


def test_what_a_report_leaves_out_is_empty_in_the_file(tmp_path: Path) -> None:
    run(tmp_path / "pi1.json", {"title": "pi1"})
    empty = {"facts": {}, "proofs": {}, "warnings": [], "next_commands": []}
    assert json.loads((tmp_path / "pi1.json").read_text()) == {"title": "pi1", **empty}


def test_a_report_with_an_unknown_part_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AnsibleError, match="proof"):
        run(tmp_path / "pi1.json", {"title": "pi1", "proof": {}})
    assert not (tmp_path / "pi1.json").exists()
