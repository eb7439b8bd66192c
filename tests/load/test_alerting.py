"""What is planted in a load test, and what real alerting tells of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from raspi_kafka.report.verdict import FAILED, PASSED

from tests.alerting.conftest import kafka, kafka_server, line, mosquitto
from tests.hosts.cache import REPOSITORY

from .load_test import LoadTest

if TYPE_CHECKING:
    from tests.alerting.conftest import Line

__all__ = ["kafka", "kafka_server", "line", "mosquitto"]
CLAIM = "alerting kept working"


@pytest.fixture
def rules() -> list[dict[str, Any]]:
    """Those that a gateway has."""
    return yaml.safe_load((REPOSITORY / "roles" / "alerting" / "files" / "proof-rules.yml").read_text())["rules"]


def stage(line: Line, rules: list[dict[str, Any]], *options: str) -> Any:
    """Return a stage with findings and verdict, while alerting has these rules."""
    line.bridge()
    alerting = line.alerting(rules)
    alerting.start()
    test = LoadTest(line, "--ramp=1", *options)
    test.start()
    found = test.finished()
    print(test.tail())
    return found


def test_each_spike_and_each_silence_that_is_planted_is_told_once_and_ends(
    line: Line, rules: list[dict[str, Any]]
) -> None:
    found = stage(line, rules, "--spike=1:8:3", "--silence=1:8:15", "--hold=17")
    assert found.verdict.state == PASSED
    told = found.findings.alerting
    assert (told.planted, told.raised, told.missed, told.false) == (16, 16, [], [])
    assert (told.doubled, told.unresolved) == ([], [])
    assert {kind: each.count for kind, each in told.latencies.items()} == {"spike": 8, "silence": 8}
    devices = {(each.kind, each.device) for each in found.stage.planted}
    assert len(devices) == len({device for _kind, device in devices}) == 16


def test_a_rule_that_misses_is_found_out(line: Line, rules: list[dict[str, Any]]) -> None:
    spike = next(rule for rule in rules if rule["name"] == "load-test-spike")
    spike["threshold"]["above"] = 1000
    found = stage(line, rules, "--spike=0:4:2", "--hold=3", "--drain=1")
    assert found.verdict.state == FAILED
    assert [row.claim for row in found.verdict.failed] == [CLAIM]
    assert "4 planted, 0 raised, 4 missed" in found.verdict.failed[0].evidence
