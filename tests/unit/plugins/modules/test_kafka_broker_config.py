"""What of server.properties a running broker takes, and what is left to a restart."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.module_utils._kafka import INT, ConfigEntry, ExpectedError
from ansible_collections.raspi.kafka.plugins.modules import kafka_broker_config
from ansible_collections.raspi.kafka.plugins.modules.kafka_broker_config import (
    UNKNOWN,
    Key,
    Plan,
    left_to_do,
    plan,
    remembered,
    work,
)

DYNAMIC, DYNAMIC_DEFAULT, STATIC, DEFAULT = 2, 3, 4, 5  # config sources


def entry(value: str | None, source: int, *, read_only: bool = False, sensitive: bool = False) -> ConfigEntry:
    return ConfigEntry(value, source, INT, read_only, sensitive)


def planned(
    wanted: str | None, known: ConfigEntry, *, changed: bool = True, mine: bool = False, fixed: bool = False
) -> Plan:
    return plan({"k": Key(wanted, known, changed, mine, fixed)})


SET, RESET = {"k": "3"}, {"k": None}


def test_what_has_changed_and_can_be_changed_in_a_running_broker_is_set() -> None:
    assert planned("3", entry("4", STATIC)) == Plan(changes=SET)
    assert planned("3", entry("4", DEFAULT)) == Plan(changes=SET)


@pytest.mark.parametrize(
    ("wanted", "known", "fixed"),
    [
        ("3", entry("4", STATIC, read_only=True), False),
        ("3", entry(None, STATIC, sensitive=True), False),
        ("3", entry("4", STATIC), True),
        ("3", UNKNOWN, False),
        ("\\u0033", entry("4", STATIC), False),
        (None, entry("4", STATIC), False),
    ],
    ids=["read-only", "a password", "owned by the role", "unknown", "escaped", "gone from the file"],
)
def test_what_cannot_needs_a_restart(wanted: str | None, known: ConfigEntry, fixed: bool) -> None:
    assert planned(wanted, known, fixed=fixed) == Plan(restart=["k"])


def test_what_is_in_force_already_is_left_however_it_is_written() -> None:
    assert planned("3", entry("3", DYNAMIC), mine=True) == Plan()
    assert planned(" 03", entry("3", DYNAMIC), mine=True) == Plan()


def test_what_was_set_before_follows_the_file() -> None:
    assert planned("3", entry("5", DYNAMIC), mine=True) == Plan(changes=SET)


def test_what_was_set_before_is_taken_back_where_the_file_says_what_the_broker_was_started_with() -> None:
    assert planned("3", entry("5", DYNAMIC), changed=False, mine=True) == Plan(changes=RESET)


def test_what_was_set_before_and_has_gone_from_the_file_is_taken_back() -> None:
    assert planned(None, entry("5", DYNAMIC), changed=False, mine=True) == Plan(changes=RESET)
    # The broker was started with it.
    assert planned(None, entry("5", DYNAMIC), mine=True) == Plan(changes=RESET, restart=["k"])


def test_what_was_set_before_and_is_in_the_file_since_a_restart_stays() -> None:
    """A second run changes nothing."""
    assert planned("3", entry("3", DYNAMIC), changed=False, mine=True) == Plan()
    assert planned("3", entry("3", STATIC), changed=False, mine=True) == Plan()


@pytest.mark.parametrize("source", [DYNAMIC, DYNAMIC_DEFAULT])
def test_what_somebody_else_has_set_is_kept_and_named_where_it_differs(source: int) -> None:
    assert planned("3", entry("5", source)) == Plan(overruled={"k": "5"})
    assert planned("3", entry("3", source)) == Plan()


def test_what_is_set_here_and_nobody_remembers_is_named_whether_it_has_changed_or_not() -> None:
    """A new card has the configs of the old one, which the quorum keeps, and not the record of who has set them."""
    assert planned("3", entry("5", DYNAMIC), changed=False) == Plan(overruled={"k": "5"})
    assert planned("3", entry("5", DYNAMIC_DEFAULT), changed=False) == Plan()
    assert planned("3", entry(None, DYNAMIC, sensitive=True), changed=False) == Plan()


def test_what_is_set_for_all_brokers_is_kept_though_it_was_set_here_before() -> None:
    assert planned("3", entry("5", DYNAMIC_DEFAULT), mine=True) == Plan(overruled={"k": "5"})


def test_a_change_is_done_when_the_broker_shows_it() -> None:
    shown = {"a": entry("3", DYNAMIC), "b": entry("4", STATIC), "c": entry("4", DYNAMIC), "d": entry("4", DYNAMIC)}
    assert left_to_do(shown, {"a": "03", "b": None}) == []
    assert left_to_do(shown, {"b": "4", "c": None, "d": "3"}) == ["b", "c", "d"]


# --- the module


class Broker:
    """A broker that takes changes, but for those of the keys that it refuses."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *refused: str, **static: str) -> None:
        self.static, self.dynamic, self.refused = static, dict[str, str](), refused
        self.sent: list[tuple[dict[str, str | None], bool]] = []
        monkeypatch.setattr(kafka_broker_config, "admin_client", lambda _params: contextlib.nullcontext())
        monkeypatch.setattr(kafka_broker_config, "describe_configs", self.describe)
        monkeypatch.setattr(kafka_broker_config, "alter_configs", self.alter)

    def describe(self, _admin: Any, _kind: int, names: list[str], _node: int) -> dict[str, dict[str, ConfigEntry]]:
        known = {key: entry(value, STATIC) for key, value in self.static.items()}
        known |= {key: entry(value, DYNAMIC) for key, value in self.dynamic.items()}
        return {names[0]: known}

    def alter(self, _admin: Any, _kind: int, changes: Any, validate_only: bool, node: int) -> dict[str, str]:
        wanted = changes[str(node)]
        self.sent.append((dict(wanted), validate_only))
        if any(key in self.refused and value is not None for key, value in wanted.items()):
            return {str(node): "it is more than twice as many"}
        if not validate_only:
            self.dynamic |= {key: value for key, value in wanted.items() if value is not None}
            for key in (key for key, value in wanted.items() if value is None):
                del self.dynamic[key]
        return {}


@pytest.fixture
def host(tmp_path: Path) -> Any:
    """Run the module on a host with a file of these lines."""

    def run(text: str, *changed: str, check: bool = False) -> dict[str, Any]:
        (tmp_path / "server.properties").write_text(text)
        params = {
            "node_id": 2,
            "path": str(tmp_path / "server.properties"),
            "changed": list(changed),
            "fixed": ["node.id"],
            "record": str(tmp_path / "dynamic.json"),
            "request_timeout_ms": 1000,
        }
        return work(SimpleNamespace(params=params, check_mode=check))

    return run


def test_a_change_is_judged_then_made_and_remembered(
    monkeypatch: pytest.MonkeyPatch, host: Any, tmp_path: Path
) -> None:
    broker = Broker(monkeypatch, threads="4", flush="1")
    told = host("threads=3\nflush=1\nthreads=2\n", "threads")
    assert told["actions"] == ["set threads=2 without a restart (was 4)"]
    assert (told["changed"], told["restart"]) == (True, [])
    assert broker.sent == [({"threads": "2"}, True), ({"threads": "2"}, False)]
    assert json.loads((tmp_path / "dynamic.json").read_text()) == ["threads"]
    again = host("threads=2\nflush=1\n", "threads")
    assert (again["changed"], again["restart"]) == (False, [])


def test_what_is_taken_back_is_forgotten(monkeypatch: pytest.MonkeyPatch, host: Any, tmp_path: Path) -> None:
    broker = Broker(monkeypatch, threads="4")
    host("threads=2\n", "threads")
    told = host("threads=4\n")
    assert told["actions"] == ["take back threads without a restart (was 2)"]
    assert broker.dynamic == {}
    assert json.loads((tmp_path / "dynamic.json").read_text()) == []


def test_what_the_broker_refuses_is_left_to_a_restart(monkeypatch: pytest.MonkeyPatch, host: Any) -> None:
    broker = Broker(monkeypatch, "threads", threads="4", flush="1")
    told = host("threads=20\nflush=2\n", "threads", "flush")
    assert told["restart"] == ["threads"]
    assert told["refused"] == {"threads": "it is more than twice as many"}
    assert broker.dynamic == {"flush": "2"}


def test_what_was_set_before_does_not_outlive_a_restart_for_a_value_that_is_refused(
    monkeypatch: pytest.MonkeyPatch, host: Any
) -> None:
    broker = Broker(monkeypatch, threads="4")
    host("threads=2\n", "threads")
    broker.refused = ("threads",)
    assert host("threads=20\n", "threads")["restart"] == ["threads"]
    assert broker.dynamic == {}


def test_keys_of_the_role_are_not_sent_though_the_broker_would_take_them(
    monkeypatch: pytest.MonkeyPatch, host: Any
) -> None:
    broker = Broker(monkeypatch, **{"node.id": "2"})
    assert host("node.id=3\n", "node.id")["restart"] == ["node.id"]
    assert broker.sent == []


def test_what_is_cut_off_after_the_change_is_known_afterwards(
    monkeypatch: pytest.MonkeyPatch, host: Any, tmp_path: Path
) -> None:
    """Else nobody would take it back."""

    def cut_off(*_arguments: Any) -> None:
        raise KeyboardInterrupt

    Broker(monkeypatch, threads="4")
    monkeypatch.setattr(kafka_broker_config, "converge", cut_off)
    with pytest.raises(KeyboardInterrupt):
        host("threads=2\n", "threads")
    assert remembered(tmp_path / "dynamic.json") == ["threads"]


def test_a_dry_run_asks_and_sets_nothing(monkeypatch: pytest.MonkeyPatch, host: Any, tmp_path: Path) -> None:
    broker = Broker(monkeypatch, threads="4")
    assert host("threads=2\n", "threads", check=True)["changed"]
    assert broker.sent == [({"threads": "2"}, True)]
    assert not (tmp_path / "dynamic.json").exists()


def test_without_a_change_the_broker_is_asked_what_overrules_the_file(
    monkeypatch: pytest.MonkeyPatch, host: Any
) -> None:
    broker = Broker(monkeypatch)
    broker.dynamic = {"threads": "5"}
    result = host("threads=2\n")
    assert (result["changed"], result["overruled"]) == (False, {"threads": "5"})
    assert broker.sent == []


def test_a_record_that_is_none_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "dynamic.json").write_text('["half')
    with pytest.raises(ExpectedError, match=r"dynamic\.json holds no list of keys .* Remove it, and look with"):
        remembered(tmp_path / "dynamic.json")
