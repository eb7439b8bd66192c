from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.module_utils._kafka import (
    DYNAMIC_TOPIC_CONFIG,
    LONG,
    ConfigEntry,
    ExpectedError,
)
from ansible_collections.raspi.kafka.plugins.modules import kafka_topics
from ansible_collections.raspi.kafka.plugins.modules.kafka_topics import (
    Current,
    Wanted,
    after,
    before,
    creation,
    describe,
    parse,
    plan,
    topics_result,
    unsettled,
)
from kafka.errors import UnknownTopicOrPartitionError

DEFAULT = 5


def existing(
    partitions: int = 3, factors: tuple[int, ...] = (1,), leaderless: tuple[int, ...] = (), **set_: str
) -> Current:
    """A topic whose dynamic configs are `set_`, with _ for . in the names."""
    entries = {
        "retention.ms": ConfigEntry("604800000", DEFAULT, LONG, False, False),
        "segment.bytes": ConfigEntry("1073741824", DEFAULT, LONG, False, False),
    }
    for key, value in set_.items():
        entries[key.replace("_", ".")] = ConfigEntry(value, DYNAMIC_TOPIC_CONFIG, LONG, False, False)
    return Current(partitions, frozenset(factors), leaderless, entries)


def refused(current: dict[str, Any], *wanted: Wanted) -> list[str]:
    with pytest.raises(ExpectedError) as error:
        plan(current, list(wanted))
    assert error.value.facts["reason"] == "refused"
    assert str(error.value).endswith("Nothing was changed.")
    return error.value.facts["refused"]


def test_an_absent_topic_is_created() -> None:
    assert plan({}, [Wanted("a", 3, 1)]).create == [Wanted("a", 3, 1)]


def test_a_topic_as_declared_is_left_alone() -> None:
    wanted = Wanted("a", 3, 1, {"retention.ms": "1000"})
    assert not plan({"a": existing(retention_ms="1000")}, [wanted]).changed


def test_what_is_left_out_stays_as_it_is() -> None:
    assert not plan({"a": existing(7, (3,), retention_ms="1000")}, [Wanted("a")]).changed


def test_another_way_to_write_a_value_is_no_change() -> None:
    assert not plan({"a": existing(retention_ms="1000")}, [Wanted("a", configs={"retention.ms": "01000"})]).changed


def test_partitions_are_added() -> None:
    assert plan({"a": existing(3)}, [Wanted("a", 6)]).grow == {"a": (3, 6)}


def test_fewer_partitions_are_refused_with_both_numbers() -> None:
    (sentence,) = refused({"a": existing(3)}, Wanted("new", 1), Wanted("a", 2))
    assert "has 3 partitions, not the declared 2" in sentence
    assert "state: absent" in sentence


def test_another_replication_factor_is_refused_with_both_numbers() -> None:
    (sentence,) = refused({"a": existing(3, (1,))}, Wanted("a", 3, 3))
    assert "has replication factor 1, not the declared 3" in sentence


def test_mixed_replication_factors_are_all_said() -> None:
    (sentence,) = refused({"a": existing(3, (1, 3))}, Wanted("a", 3, 3))
    assert "replication factor 1 and 3" in sentence


@pytest.mark.parametrize(("partitions", "factor"), [(0, 1), (-1, 1), (1, 0)])
def test_numbers_below_one_are_refused(partitions: int, factor: int) -> None:
    assert len(refused({}, Wanted("a", partitions, factor))) == 1


def test_an_owned_config_is_set_and_a_foreign_one_kept() -> None:
    current = {"a": existing(segment_bytes="1048576", retention_ms="5")}
    assert plan(current, [Wanted("a", configs={"retention.ms": "1000"})]).alter == {"a": {"retention.ms": "1000"}}


def test_a_declared_default_is_owned() -> None:
    changes = plan({"a": existing()}, [Wanted("a", configs={"retention.ms": "604800000"})])
    assert changes.alter == {"a": {"retention.ms": "604800000"}}


def test_null_resets_only_what_is_set() -> None:
    current = {"a": existing(retention_ms="1000")}
    wanted = [Wanted("a", configs={"retention.ms": None, "segment.bytes": None})]
    assert plan(current, wanted).alter == {"a": {"retention.ms": None}}


def test_null_is_not_sent_with_a_creation() -> None:
    topic = Wanted("a", configs={"retention.ms": None, "segment.bytes": "1"})
    assert creation([topic])["a"] == {"num_partitions": -1, "replication_factor": -1, "configs": {"segment.bytes": "1"}}


def test_an_unknown_config_is_refused_with_what_may_be_meant() -> None:
    (sentence,) = refused({"a": existing()}, Wanted("a", configs={"retention.mss": "1"}))
    assert "Do you mean retention.ms?" in sentence


def test_a_topic_is_deleted_once() -> None:
    assert plan({"a": existing()}, [Wanted("a", present=False)]).delete == ["a"]
    assert not plan({}, [Wanted("a", present=False)]).changed


def test_a_name_declared_twice_is_refused_even_if_equal() -> None:
    assert refused({}, Wanted("a"), Wanted("a")) == ["Topic a is declared more than once: keep one."]


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "a/b", "ä", "a\n", "x" * 250])
def test_a_name_that_kafka_does_not_take_is_refused(name: str) -> None:
    assert "cannot be the name of a topic" in refused({}, Wanted(name))[0]


@pytest.mark.parametrize("name", ["a", "A.b_c-1", "x" * 249, "..."])
def test_a_legal_name_is_taken(name: str) -> None:
    assert plan({}, [Wanted(name)]).create


def test_names_that_differ_in_dot_and_underscore_collide() -> None:
    assert "collides with a.b" in refused({"a.b": None}, Wanted("a_b"))[0]
    assert len(refused({}, Wanted("a.b"), Wanted("a_b"))) == 2


def test_a_topic_that_goes_does_not_collide() -> None:
    assert plan({"a.b": existing()}, [Wanted("a.b", present=False), Wanted("a_b")]).changed


def test_a_collision_that_exists_already_is_not_our_business() -> None:
    assert not plan({"a.b": existing(), "a_b": None}, [Wanted("a.b")]).changed


def test_an_internal_name_needs_a_word() -> None:
    assert "internal: true" in refused({"__x": existing()}, Wanted("__x", present=False))[0]
    assert plan({"__x": existing()}, [Wanted("__x", present=False, internal=True)]).delete == ["__x"]


def test_every_refusal_is_told_at_once() -> None:
    assert len(refused({"a": existing(3)}, Wanted("a", 1, 3, {"x": "1"}), Wanted("b", 0), Wanted("__c"))) == 5


def test_the_diff_shows_owned_configs_only_and_what_the_plan_does() -> None:
    current = {"a": existing(segment_bytes="1", retention_ms="5"), "gone": existing(1)}
    wanted = [Wanted("a", 6, configs={"retention.ms": None}), Wanted("gone", present=False), Wanted("new", 2)]
    changes = plan(current, wanted)
    assert before(current, wanted) == {
        "a": {"partitions": 3, "replication_factor": 1, "configs": {"retention.ms": "5"}},
        "gone": {"partitions": 1, "replication_factor": 1, "configs": {}},
    }
    assert after(current, wanted, changes) == {
        "a": {"partitions": 6, "replication_factor": 1, "configs": {"retention.ms": None}},
        "new": {"partitions": 2, "replication_factor": None, "configs": {}},
    }
    assert topics_result(before(current, wanted), current, wanted)[0]["foreign_configs"] == {"segment.bytes": "1"}


def test_a_plan_can_be_read() -> None:
    current = {"a": existing(retention_ms="5")}
    wanted = [Wanted("a", 6, configs={"retention.ms": None, "segment.bytes": "7"}), Wanted("b", 1, 1)]
    assert describe(plan(current, wanted), current) == [
        "create topic b with 1 partition and replication factor 1",
        "add partitions to topic a, from 3 to 6",
        "reset retention.ms of topic a (was 5)",
        "set segment.bytes=7 of topic a (was the default)",
    ]


def test_a_new_topic_without_leader_is_not_settled() -> None:
    wanted = [Wanted("a", 3)]
    applied = plan({}, wanted)
    assert unsettled({"a": existing(3, leaderless=(1, 2))}, wanted, applied) == [
        "wait for a leader of partition 1, 2 of topic a"
    ]
    assert not unsettled({"a": existing(3)}, wanted, applied)


def test_an_old_topic_without_leader_does_not_hold_up_another() -> None:
    wanted = [Wanted("a", 3), Wanted("old")]
    applied = plan({"old": existing(1, leaderless=(0,))}, wanted)
    assert not unsettled({"a": existing(3), "old": existing(1, leaderless=(0,))}, wanted, applied)


def test_options_become_what_is_wanted() -> None:
    option = {
        "name": "a",
        "partitions": 1,
        "replication_factor": None,
        "configs": {"cleanup.policy": ["compact", "delete"], "preallocate": True, "retention.ms": None},
        "state": "absent",
        "internal": True,
    }
    configs = {"cleanup.policy": "compact,delete", "preallocate": "true", "retention.ms": None}
    assert parse([option]) == [Wanted("a", 1, None, configs, present=False, internal=True)]


def sent(monkeypatch: pytest.MonkeyPatch, *, check_mode: bool) -> list[bool]:
    """Let the module create a topic; returns of each time that the plan was sent whether it was only to be judged."""
    calls: list[bool] = []
    monkeypatch.setattr(kafka_topics, "admin_client", lambda _params: contextlib.nullcontext())
    monkeypatch.setattr(kafka_topics, "read", lambda _admin, _wanted: {"a": existing(1)} if False in calls else {})
    monkeypatch.setattr(kafka_topics, "apply", lambda _admin, _changes, validate_only: calls.append(validate_only))
    topic = {
        "name": "a",
        "partitions": 1,
        "replication_factor": 1,
        "configs": {},
        "state": "present",
        "internal": False,
    }
    result = kafka_topics.work(
        SimpleNamespace(params={"topics": [topic], "request_timeout_ms": 1000}, check_mode=check_mode)
    )
    assert result["created"] == ["a"]
    return calls


def test_brokers_judge_all_changes_before_one_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sent(monkeypatch, check_mode=False) == [True, False]


def test_a_dry_run_only_lets_the_brokers_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sent(monkeypatch, check_mode=True) == [True]


@pytest.mark.parametrize(("validate_only", "end"), [(True, "Nothing was changed."), (False, "may have been made.")])
def test_what_a_broker_refuses_is_a_sentence(validate_only: bool, end: str) -> None:
    answer = {"topics": [{"name": "a", "error_code": 38, "error_message": "There are too few brokers."}]}
    admin = SimpleNamespace(create_topics=lambda *_names, **_options: answer)
    with pytest.raises(ExpectedError, match="Cannot create topic a: There are too few brokers") as refused_by_broker:
        kafka_topics.apply(admin, plan({}, [Wanted("a", 1, 3)]), validate_only)
    assert str(refused_by_broker.value).endswith(end)


def test_a_topic_that_no_broker_shows_is_not_settled() -> None:
    wanted = [Wanted("a", 1)]
    (left,) = unsettled({}, wanted, plan({}, wanted))
    assert left.startswith("create topic a")


def test_a_topic_that_one_broker_has_removed_already_is_looked_at_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another broker has just told of it, and is not asked for its configs."""
    answers = iter([UnknownTopicOrPartitionError(), {"a": None}])

    def read(_admin: Any, _wanted: Any) -> Any:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(kafka_topics, "read", read)
    assert kafka_topics.look(None, [], 5000) == {"a": None}  # type: ignore[arg-type]
