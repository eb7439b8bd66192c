from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.doc_fragments import _kafka as fragment
from ansible_collections.raspi.kafka.plugins.module_utils import _kafka
from ansible_collections.raspi.kafka.plugins.modules import kafka_topics
from kafka.errors import (
    InvalidTimestampError,
    KafkaConnectionError,
    KafkaTimeoutError,
    TopicAuthorizationFailedError,
)
from kafka.protocol.metadata import ApiVersionsRequest, MetadataRequest
from kafka.protocol.parser import KafkaProtocol

from tests.module_args import patch_module_args

LONG, DOUBLE, BOOLEAN, LIST, STRING = _kafka.LONG, _kafka.DOUBLE, _kafka.BOOLEAN, _kafka.LIST, 2
PARAMS = {"bootstrap_servers": ["pi-1:9092"], "client_id": "me", "request_timeout_ms": 5000}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (604800000, "604800000"),
        (0.5, "0.5"),
        (["compact", "delete"], "compact,delete"),
        ([1, True], "1,true"),
        ("as is", "as is"),
        (None, None),
    ],
)
def test_yaml_values_become_the_text_that_kafka_stores(value: Any, text: str | None) -> None:
    assert _kafka.config_text(value) == text


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        ("007", "7", LONG),
        (" 7", "7", LONG),
        ("0.50", "0.5", DOUBLE),
        ("TRUE", "true", BOOLEAN),
        ("a, b", "a,b", LIST),
    ],
)
def test_two_ways_to_write_a_value_are_no_difference(one: str, other: str, kind: int) -> None:
    assert _kafka.canonical(one, kind) == _kafka.canonical(other, kind)


@pytest.mark.parametrize(("one", "other", "kind"), [("7", "8", LONG), ("x", "7", LONG), ("007", "7", STRING)])
def test_two_values_stay_a_difference(one: str, other: str, kind: int) -> None:
    assert _kafka.canonical(one, kind) != _kafka.canonical(other, kind)


@pytest.mark.parametrize(
    ("version", "old"), [("3.0.11", True), ("2.9.99", True), ("3.0.12", False), ("3.1.0rc1", False), ("10.0", False)]
)
def test_versions_compare_as_numbers(version: str, *, old: bool) -> None:
    assert (_kafka.version_tuple(version) < _kafka.version_tuple(_kafka.KAFKA_PYTHON_MINIMUM)) is old


def test_the_doc_fragment_names_the_minimum_version() -> None:
    assert f"kafka-python >= {_kafka.KAFKA_PYTHON_MINIMUM}" in fragment.ModuleDocFragment.DOCUMENTATION


@pytest.mark.parametrize("server", ["pi-1", ":9092", "pi-1:", "pi-1:kafka", "pi-1:0", "pi-1:70000", ""])
def test_a_bootstrap_server_without_host_or_port_is_refused(server: str) -> None:
    with pytest.raises(_kafka.ExpectedError, match="not host:port"):
        _kafka.client_options({**PARAMS, "bootstrap_servers": [server]})


@pytest.mark.parametrize("change", [{"bootstrap_servers": []}, {"request_timeout_ms": 10}])
def test_connection_options_out_of_range_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(_kafka.ExpectedError) as refused:
        _kafka.client_options({**PARAMS, **change})
    assert refused.value.facts["reason"] == "invalid"


def test_ipv6_addresses_keep_their_brackets() -> None:
    options = _kafka.client_options({**PARAMS, "bootstrap_servers": ["[fd00::2]:9092"]})
    assert options["bootstrap_servers"] == ["[fd00::2]:9092"]
    assert _kafka.split_server("[fd00::2]:9092") == ("fd00::2", 9092)


def test_every_connection_option_reaches_the_clients() -> None:
    options = _kafka.client_options(PARAMS)
    assert set(_kafka.CONNECTION_ARGSPEC) <= set(options)


class Cluster:
    """Makes a client where the server that is asked is one of those that answer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, listening: set[str], answering: set[str]) -> None:
        self.asked: list[str] = []
        self._answering = answering
        self._now = 0.0
        monkeypatch.setattr(_kafka, "is_open", lambda server: server in listening)
        monkeypatch.setattr(_kafka.time, "monotonic", lambda: self._now)

    def client(self, **options: Any) -> str:
        (server,) = options["bootstrap_servers"]
        self.asked.append(server)
        if server not in self._answering:
            self._now += options["bootstrap_timeout_ms"] / 1000
            raise KafkaTimeoutError("nobody")
        return server

    def connected(self, *servers: str) -> str:
        options = {"bootstrap_servers": list(servers), "request_timeout_ms": 30000}
        return _kafka.connected(self.client, options)


def test_a_server_that_hangs_takes_a_part_of_the_time_and_one_that_is_down_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = Cluster(monkeypatch, {"hangs:1", "good:1"}, {"good:1"})
    assert cluster.connected("down:1", "hangs:1", "good:1") == "good:1"
    assert cluster.asked == ["hangs:1", "good:1"]


def test_a_server_that_is_still_starting_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, set(), {"starts:1"})
    assert cluster.connected("starts:1") == "starts:1"


def test_where_no_server_answers_it_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, {"hangs:1"}, set())
    with pytest.raises(KafkaTimeoutError):
        cluster.connected("hangs:1", "down:1")
    assert 6 <= len(cluster.asked) <= 8


def test_an_error_is_a_sentence_with_what_to_do() -> None:
    text = _kafka.explain(TopicAuthorizationFailedError("telemetry"))
    assert "telemetry" in text
    assert text.endswith("Grant the principal access to the topic.")


def test_a_refused_timestamp_points_at_the_clocks() -> None:
    assert _kafka.explain(InvalidTimestampError()) == (
        "The timestamp of the message is out of acceptable range (InvalidTimestampError). "
        "Compare the clocks of both machines."
    )


def test_a_bare_error_is_still_named() -> None:
    assert _kafka.explain(KafkaTimeoutError()).startswith("KafkaTimeoutError")


def test_the_message_of_the_broker_wins_over_the_general_one() -> None:
    text = _kafka.explain_code(40, "Invalid value x for configuration retention.ms.")
    assert text.startswith("Invalid value x for configuration retention.ms (")


def test_a_closed_port_and_an_unknown_name_are_told_apart() -> None:
    assert "refused" in _kafka.why_unreachable("127.0.0.1:1")
    assert "not a name that resolves" in _kafka.why_unreachable("nowhere.invalid:9092")


def run_topics(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    args = {"bootstrap_servers": ["127.0.0.1:1"], "request_timeout_ms": 1000, "topics": [{"name": "a"}]}
    with patch_module_args(args), pytest.raises(SystemExit):
        kafka_topics.main()
    return json.loads(capsys.readouterr().out)


def test_without_kafka_python_the_module_names_host_interpreter_and_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_kafka, "KAFKA_IMPORT_ERROR", "Traceback: No module named 'kafka'")
    monkeypatch.setattr(_kafka, "VENV_PYTHON", "/nowhere/bin/python")
    result = run_topics(capsys)
    assert result["reason"] == "kafka_python_missing"
    for part in (_kafka.this_host(), sys.executable, "/nowhere/bin/python", "pip install"):
        assert part in result["msg"]


def test_an_older_kafka_python_is_refused_with_both_versions(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_kafka.kafka, "__version__", "2.0.2")
    monkeypatch.setattr(_kafka, "VENV_PYTHON", "/nowhere/bin/python")
    message = run_topics(capsys)["msg"]
    assert "2.0.2" in message
    assert _kafka.KAFKA_PYTHON_MINIMUM in message


def test_the_venv_is_used_where_it_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def respawn(path: str) -> None:
        asked.append(path)
        raise SystemExit(0)

    monkeypatch.setattr(_kafka, "KAFKA_IMPORT_ERROR", "Traceback")
    monkeypatch.setattr(_kafka, "VENV_PYTHON", sys.executable)
    monkeypatch.setattr(_kafka, "respawn_module", respawn)
    with patch_module_args({"bootstrap_servers": ["a:1"], "topics": []}), pytest.raises(SystemExit):
        kafka_topics.main()
    assert asked == [sys.executable]


def test_a_module_that_respawned_already_does_not_do_it_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_kafka, "KAFKA_IMPORT_ERROR", "Traceback")
    monkeypatch.setattr(_kafka, "VENV_PYTHON", sys.executable)
    monkeypatch.setattr(_kafka, "has_respawned", lambda: True)
    assert run_topics(capsys)["reason"] == "kafka_python_missing"


def test_an_unreachable_broker_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    result = run_topics(capsys)
    assert result["reason"] == "unreachable"
    assert "127.0.0.1:1: connection refused" in result["msg"]
    assert "exception" not in result


def test_an_error_in_the_middle_names_servers_and_host(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_module: Any) -> dict[str, Any]:
        raise KafkaConnectionError("socket closed")

    monkeypatch.setattr(kafka_topics, "work", broken)
    result = run_topics(capsys)
    assert result["reason"] == "kafka_error"
    assert "127.0.0.1:1" in result["msg"]
    assert "socket closed" in result["msg"]


def test_changes_are_looked_at_until_all_brokers_show_them() -> None:
    seen = iter([1, 2, 3])
    assert _kafka.converge(lambda: next(seen), lambda found: ["wait"] if found < 3 else [], PARAMS) == 3


def test_changes_that_no_broker_shows_are_a_failure() -> None:
    with pytest.raises(_kafka.ExpectedError, match="after 0 s this is left to do: create topic a") as late:
        _kafka.converge(dict, lambda _found: ["create topic a"], {**PARAMS, "request_timeout_ms": 0})
    assert late.value.facts["reason"] == "timeout"


def test_requests_are_counted_where_they_are_encoded_and_only_meanwhile() -> None:
    protocol = KafkaProtocol(client_id="me")
    with _kafka.counted_requests() as sent:
        protocol.send_request(ApiVersionsRequest[0]())
        protocol.send_request(MetadataRequest[1](topics=None))
        protocol.send_request(MetadataRequest[1](topics=None))
    protocol.send_request(ApiVersionsRequest[0]())
    assert sent == {"ApiVersionsRequest": 1, "MetadataRequest": 2}
    assert len(protocol.in_flight_requests) == 4
