"""What the rules file may say, and how it is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from raspi_kafka.alert import rules
from raspi_kafka.settings import ConfigError

from tests.unit.edge.alerting import rules_of

if TYPE_CHECKING:
    from pathlib import Path

HOT = "{name: hot, threshold: {field: t, above: 80}}"


def one(text: str) -> Any:
    """The only rule of a file."""
    (found,) = rules_of(f"- {text}").rules
    return found


def test_all_but_name_and_kind_has_a_default() -> None:
    found = rules_of(f"- {HOT}")
    (hot,) = found.rules
    assert (found.time_fields, found.late_ms) == (("timestamp", "time", "ts", "ts_ms", "ts_ns"), 300_000)
    assert found.forget_ms == 7 * 86_400_000
    assert (hot.severity, hot.topics, hot.devices, hot.excepted) == ("warning", ("telemetry",), ("*",), ())
    assert (hot.fleet, hot.at_least, hot.kind.clear, hot.kind.for_ms) == (False, 0, 80, 0)


def test_dead_letters_are_those_of_all_devices() -> None:
    found = one("{name: dead, dead_letters: {more_than: 10, within: 5m}}")
    assert (found.topics, found.fleet, found.at_once) == (("dead-letters",), True, True)


def test_a_rate_clears_at_half_of_its_limit() -> None:
    assert one("{name: a, rate: {field: t, rises: 5, within: 1m}}").kind.clear == 2.5


def test_a_fleet_is_one_device_at_least() -> None:
    assert one("{name: a, per: fleet, silence: {after: 1m}}").at_least == 1


def test_the_topics_to_read_are_those_of_all_rules() -> None:
    found = rules_of(f"[{HOT}, {{name: b, topics: [other, telemetry], clock: {{off_by: 30s}}}}]")
    assert found.topics == ("telemetry", "other")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "{name: a, severity: info, threshold: {field: x.y, below: 3, clear: 4, for: 90s}}",
            "a (info): x.y below 3 for 1m 30s, until 4 or more; topics telemetry; devices *",
        ),
        (
            "{name: a, rate: {field: t, falls: 5, within: 1h}, devices: [b*], except: [d]}",
            "a (warning): t falls by more than 5 within 1h, until by 2.5 or less; topics telemetry; devices b* but d",
        ),
        (
            "{name: a, per: fleet, at_least: 3, silence: {after: 1m}, topics: [x]}",
            "a (warning): not heard for more than 1m, one alert if 3 or more devices at once; topics x; devices *",
        ),
        (
            "{name: a, clock: {off_by: 1.5s, for: 0s}}",
            "a (warning): clock off by more than 1.5s; topics telemetry; devices *",
        ),
        (
            "{name: a, dead_letters: {more_than: 0, within: 1d}}",
            "a (warning): more than 0 dead letters within 1d; topics dead-letters; devices *",
        ),
    ],
)
def test_a_rule_in_words(text: str, words: str) -> None:
    assert one(text).words() == words


@pytest.mark.parametrize(
    ("text", "where", "why"),
    [
        ("{}", "rules", "it is missing"),
        ("{rules: []}", "rules", "nothing would ever fire"),
        ("{ruls: []}", "ruls", "did you mean `rules`?"),
        (f"{{late: 0s, rules: [{HOT}]}}", "late", "more than 0"),
        (f"{{late: 5, rules: [{HOT}]}}", "late", "5 is not a duration"),
        (f"{{late: 500ms, rules: [{HOT}]}}", "late", "'500ms' is not a duration"),
        (f"{{forget: 0d, rules: [{HOT}]}}", "forget", "more than 0"),
        (f"{{time_fields: [], rules: [{HOT}]}}", "time_fields", "it is empty"),
        (f"{{time_fields: [1], rules: [{HOT}]}}", "time_fields[0]", "1 is not a text"),
        (f"{{rules: [{HOT}, {HOT}]}}", "rules[1].name", "rules[0] is called `hot` too"),
        ("{rules: [1]}", "rules[0]", "1 is not a mapping"),
    ],
)
def test_a_file_is_refused(text: str, where: str, why: str) -> None:
    with pytest.raises(ConfigError) as refused:
        rules.parse(yaml.safe_load(text))
    assert refused.value.place == where
    assert why in refused.value.reason


THRESHOLD = "threshold: {field: t, above: 1}"


@pytest.mark.parametrize(
    ("text", "where", "why"),
    [
        (THRESHOLD, "name", "it is missing"),
        (f"name: A, {THRESHOLD}", "name", "use a to z"),
        (f"name: a/b, {THRESHOLD}", "name", "use a to z"),
        ("name: a", "", "give it one of threshold, rate, silence, clock, dead_letters"),
        (f"name: a, {THRESHOLD}, clock: {{off_by: 1s}}", "clock", "watches threshold already"),
        ("name: a, treshold: {}", "treshold", "did you mean `threshold`?"),
        (f"name: a, severity: high, {THRESHOLD}", "severity", "info, warning, critical"),
        (f"name: a, per: each, {THRESHOLD}", "per", "device, fleet"),
        (f"name: a, at_least: 2, {THRESHOLD}", "at_least", "add `per: fleet`"),
        (f"name: a, per: fleet, at_least: 0, {THRESHOLD}", "at_least", "out of range"),
        ("name: a, at_least: 2, dead_letters: {more_than: 1, within: 1m}", "at_least", "`more_than` is the limit"),
        (f"name: a, topics: [], {THRESHOLD}", "topics", "it is empty"),
        (f"name: a, topics: [a b], {THRESHOLD}", "topics[0]", "no name of a Kafka topic"),
        (f"name: a, topics: [telemetry, alerts], {THRESHOLD}", "topics[1]", "alerting's own"),
        (f"name: a, devices: [], {THRESHOLD}", "devices", "it is empty"),
        (f"name: a, devices: [''], {THRESHOLD}", "devices[0]", "it is empty"),
        (f"name: a, except: [2], {THRESHOLD}", "except[0]", "2 is not a text"),
        (f"name: a, summary: '{{devise}}', {THRESHOLD}", "summary", "known are {device}, {value}, {rule}, {limit}"),
        (f"name: a, summary: '{{}}', {THRESHOLD}", "summary", "no placeholder"),
        (f"name: a, summary: '{{value:.1f}}', {THRESHOLD}", "summary", "no placeholder"),
        (f"name: a, summary: '{{value', {THRESHOLD}", "summary", "braces"),
        ("name: a, threshold: {above: 1}", "threshold.field", "it is missing"),
        ("name: a, threshold: {field: a..b, above: 1}", "threshold.field", "no path"),
        ("name: a, threshold: {field: t}", "threshold", "either `above` or `below`"),
        ("name: a, threshold: {field: t, above: 1, below: 2}", "threshold.below", "either `above` or `below`"),
        ("name: a, threshold: {field: t, above: hot}", "threshold.above", "not a number"),
        ("name: a, threshold: {field: t, above: .nan}", "threshold.above", "a finite number"),
        ("name: a, threshold: {field: t, above: 1, clear: .inf}", "threshold.clear", "a finite number"),
        ("name: a, threshold: {field: t, above: 80, clear: 81}", "threshold.clear", "80 or less"),
        ("name: a, threshold: {field: t, below: 80, clear: 79}", "threshold.clear", "80 or more"),
        ("name: a, threshold: {field: t, above: 80, for: 30}", "threshold.for", "30 is not a duration"),
        ("name: a, rate: {field: t, within: 1m}", "rate", "one of `rises`, `falls` and `changes`"),
        ("name: a, rate: {field: t, rises: 1, falls: 1, within: 1m}", "rate.falls", "one of `rises`"),
        ("name: a, rate: {field: t, rises: 0, within: 1m}", "rate.rises", "more than 0"),
        ("name: a, rate: {field: t, rises: .inf, within: 1m}", "rate.rises", "more than 0"),
        ("name: a, rate: {field: t, rises: 1}", "rate.within", "it is missing"),
        ("name: a, rate: {field: t, rises: 1, within: 0s}", "rate.within", "more than 0"),
        ("name: a, rate: {field: t, rises: 1, within: 1m, clear: 2}", "rate.clear", "from 0 to the limit 1"),
        ("name: a, rate: {field: t, rises: 1, within: 1m, clear: -1}", "rate.clear", "from 0 to the limit 1"),
        ("name: a, silence: {}", "silence.after", "it is missing"),
        ("name: a, silence: {after: 0s}", "silence.after", "more than 0"),
        ("name: a, silence: {after: 7d}", "silence.after", "forgotten before that"),
        ("name: a, forget: 1m, silence: {after: 1m}", "silence.after", "less than `forget` (60 s)"),
        ("name: a, forget: 0d, silence: {after: 1m}", "forget", "more than 0"),
        ("name: a, clock: {off_by: 0s}", "clock.off_by", "more than 0"),
        ("name: a, dead_letters: {more_than: -1, within: 1m}", "dead_letters.more_than", "0 to 1000"),
        ("name: a, dead_letters: {more_than: 1001, within: 1m}", "dead_letters.more_than", "0 to 1000"),
        ("name: a, dead_letters: {more_than: 1, within: 0m}", "dead_letters.within", "more than 0"),
    ],
)
def test_a_rule_is_refused(text: str, where: str, why: str) -> None:
    with pytest.raises(ConfigError) as refused:
        rules_of(f"- {{{text}}}")
    assert refused.value.place == (f"rules[0].{where}" if where else "rules[0]")
    assert why in refused.value.reason


def test_a_mistake_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "rules.yml"
    file.write_text(
        f"rules:\n  - {HOT}\n  - name: cold\n    threshold:\n      field: t\n      below: -5\n      clear: -6\n"
    )
    with pytest.raises(ConfigError) as refused:
        rules.load(file)
    assert str(refused.value).startswith(f"{file}:7: rules[1].threshold.clear: -6 is beyond the limit -5")


# --- further files


def files(tmp_path: Path, *texts: str) -> list[Path]:
    paths = [tmp_path / f"{number}.yml" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    return paths


def test_further_files_have_rules_for_which_the_first_one_speaks(tmp_path: Path) -> None:
    found = rules.load(
        *files(tmp_path, f"late: 1m\nforget: 2d\nrules: [{HOT}]", "rules: [{name: quiet, silence: {after: 1d}}]")
    )
    assert [one.name for one in found.rules] == ["hot", "quiet"]
    assert found.late_ms == 60_000
    assert [one.forget_ms for one in found.rules] == [2 * 86_400_000] * 2


def test_a_name_that_another_file_has_is_told_with_both(tmp_path: Path) -> None:
    first, second = files(tmp_path, f"rules: [{HOT}]", f"rules:\n- {HOT}")
    with pytest.raises(ConfigError) as refused:
        rules.load(first, second)
    assert str(refused.value).startswith(f"{second}:2: rules[0].name: a rule of {first} is called `hot` too")


def test_a_further_file_has_rules_alone(tmp_path: Path) -> None:
    first, second = files(tmp_path, f"rules: [{HOT}]", "late: 1m\nrules: []")
    with pytest.raises(ConfigError, match="late: there is no such key"):
        rules.load(first, second)
    second.write_text("rules: []")
    with pytest.raises(ConfigError, match="rules: it is empty"):
        rules.load(first, second)
