"""What the rules file says."""

from __future__ import annotations

import re
import string
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import settings
from ..settings import REQUIRED, ConfigError, Duration, Key, kafka_topic, section
from . import clock, dead_letters, given, rate, silence, threshold, topics
from .event import TIME_FIELDS
from .rule import Rule

if TYPE_CHECKING:
    from collections.abc import Mapping

KINDS = {
    "threshold": threshold.parse,
    "rate": rate.parse,
    "silence": silence.parse,
    "clock": clock.parse,
    "dead_letters": dead_letters.parse,
}
# Alerting would watch itself.
OWN = (topics.ALERTS, topics.STATE, topics.HEARTBEAT)
SEVERITIES = ("info", "warning", "critical")
DEVICE, FLEET = PER = ("device", "fleet")
PLACEHOLDERS = ("device", "value", "rule", "limit")
MOST_DEVICES = 1_000_000
DAY_S = 86_400
NAME = re.compile(r"[a-z0-9-]+")

TOP = {
    "time_fields": Key(list, list(TIME_FIELDS)),
    "late": Key(Duration, Duration(300)),
    "forget": Key(Duration, Duration(7 * DAY_S)),
    "rules": Key(list, REQUIRED),
}
FURTHER = {"rules": TOP["rules"]}
RULE = {
    "name": Key(str, REQUIRED),
    "severity": Key(str, "warning"),
    "summary": Key(str, ""),
    "topics": Key(list, None),
    "devices": Key(list, ["*"]),
    "except": Key(list, []),
    "per": Key(str, None),
    "at_least": Key(int, None, least=1, most=MOST_DEVICES),
    "forget": Key(Duration, None),
    **{kind: Key(dict, None) for kind in KINDS},
}


@dataclass(frozen=True)
class Rules:
    """All of it.

    :ivar time_fields: keys of a payload that may have the device's time; the first that has one counts.
    :ivar late_ms: an event that is older as it arrives is not judged by its time.
    :ivar forget_ms: a device that is not heard for so long is forgotten, and what is firing of it ends, unless one of
        its rules says it sooner.
    """

    time_fields: tuple[str, ...]
    late_ms: int
    forget_ms: int
    rules: tuple[Rule, ...]

    @property
    def topics(self) -> tuple[str, ...]:
        """Return the topics to read."""
        return tuple(dict.fromkeys(topic for rule in self.rules for topic in rule.topics))


def load(path: Path, *further: Path) -> Rules:
    """Return what a file says, and the rules of further files.

    :raises ConfigError: one can't be read or can't be followed.
    """
    found = settings.load(path, parse)
    places = dict.fromkeys((one.name for one in found.rules), f"a rule of {path}")
    for each in further:
        more = settings.load(each, partial(more_of, forget_ms=found.forget_ms, others=places))
        places.update(dict.fromkeys((one.name for one in more), f"a rule of {each}"))
        found = replace(found, rules=found.rules + more)
    return found


def parse(said: Any) -> Rules:
    """Return rules of what YAML gave.

    :raises ConfigError: they can't be followed.
    """
    top = section(said, TOP, "")
    forget_ms = given.lasting(top["forget"], "forget")
    found = rules_of(top["rules"], forget_ms, {})
    fields = filled(top["time_fields"], "time_fields", "a key of payloads")
    return Rules(fields, given.lasting(top["late"], "late"), forget_ms, found)


def more_of(said: Any, forget_ms: int, others: Mapping[str, str]) -> tuple[Rule, ...]:
    """Return what a further file says, which is rules alone."""
    return rules_of(section(said, FURTHER, "")["rules"], forget_ms, others)


def rules_of(said: list[Any], forget_ms: int, others: Mapping[str, str]) -> tuple[Rule, ...]:
    """Return rules.

    :param forget_ms: of those that do not say it.
    :param others: where there are rules already, by their name.
    """
    if not said:
        raise ConfigError("rules", "it is empty, so nothing would ever fire; give it one rule at least")
    found: dict[str, Rule] = {}
    places = dict(others)
    for number, each in enumerate(said):
        where = f"rules[{number}]"
        one = rule(each, where, forget_ms)
        check_name(one.name, places, f"{where}.name")
        check_silence(one, f"{where}.silence.after")
        found[one.name] = one
        places[one.name] = where
    return tuple(found.values())


def rule(said: Any, where: str, forget_ms: int) -> Rule:
    """Return one rule."""
    values = section(said, RULE, where)
    kind = kind_of(values, where)
    counts = kind == "dead_letters"
    fleet = one_of(values["per"] or (FLEET if counts else DEVICE), PER, f"{where}.per") == FLEET
    said_topics = (
        [topics.DEAD_LETTERS if counts else topics.DEFAULT_TOPIC] if values["topics"] is None else values["topics"]
    )
    return Rule(
        name=values["name"],
        severity=one_of(values["severity"], SEVERITIES, f"{where}.severity"),
        summary=template(values["summary"], f"{where}.summary"),
        topics=topics_of(said_topics, f"{where}.topics"),
        devices=filled(values["devices"], f"{where}.devices", "a name or a glob such as sensor-*"),
        excepted=given.texts(values["except"], f"{where}.except"),
        fleet=fleet,
        at_least=at_least(values["at_least"], fleet, counts, f"{where}.at_least"),
        forget_ms=forget_ms if values["forget"] is None else given.lasting(values["forget"], f"{where}.forget"),
        kind=KINDS[kind](values[kind], f"{where}.{kind}"),
    )


def kind_of(values: dict[str, Any], where: str) -> str:
    """Return what a rule watches."""
    found = [kind for kind in KINDS if values[kind] is not None]
    if not found:
        raise ConfigError(where, f"it does not say what to watch; give it one of {', '.join(KINDS)}")
    if len(found) > 1:
        raise ConfigError(
            f"{where}.{found[1]}", f"the rule watches {found[0]} already; make a rule of its own of {found[1]}"
        )
    return found[0]


def check_name(name: str, others: Mapping[str, str], place: str) -> None:
    """Refuse a name that can't be part of an id, or would be one twice."""
    if not NAME.fullmatch(name):
        raise ConfigError(place, f"`{name}` is no name of a rule; use a to z, 0 to 9 and hyphens")
    if name in others:
        raise ConfigError(place, f"{others[name]} is called `{name}` too; give each a name of its own")


def check_silence(one: Rule, place: str) -> None:
    """Refuse a silence that would be forgotten before it is told."""
    if isinstance(one.kind, silence.Silence) and one.kind.after_ms >= one.forget_ms:
        raise ConfigError(
            place, f"a device is forgotten before that; make it less than `forget` ({one.forget_ms // 1000} s)"
        )


def one_of(said: str, known: tuple[str, ...], place: str) -> str:
    """Return a word if it is one of those that are known."""
    if said not in known:
        raise ConfigError(place, f"`{said}` is not known; give it one of {', '.join(known)}")
    return said


def filled(said: list[Any], place: str, what: str) -> tuple[str, ...]:
    """Return texts, of which there is one at least."""
    if not said:
        raise ConfigError(place, f"it is empty; give it {what} or leave the key out")
    return given.texts(said, place)


def topics_of(said: list[Any], place: str) -> tuple[str, ...]:
    """Return the topics of a rule."""
    found = filled(said, place, "a Kafka topic")
    for number, topic in enumerate(found):
        kafka_topic(topic, f"{place}[{number}]")
        if topic in OWN:
            raise ConfigError(f"{place}[{number}]", f"`{topic}` is alerting's own; name a topic of devices")
    return tuple(dict.fromkeys(found))


def at_least(said: int | None, fleet: bool, counts: bool, place: str) -> int:
    """Return how many devices it takes for an alert of the fleet; 0 if nobody counts devices."""
    if said is not None and counts:
        raise ConfigError(
            place, "dead letters are counted themselves, not devices; leave it out, `more_than` is the limit"
        )
    if said is not None and not fleet:
        raise ConfigError(place, "it counts devices of a fleet; add `per: fleet` or leave it out")
    return said or 1 if fleet and not counts else 0


def template(said: str, place: str) -> str:
    """Return a summary if its placeholders are known."""
    try:
        parts = [(name, form, conversion) for _text, name, form, conversion in string.Formatter().parse(said)]
    except ValueError as wrong:
        raise ConfigError(place, f"{wrong}; write {{{{ and }}}} for braces that are no placeholder") from wrong
    for name, form, conversion in parts:
        if name is not None and (name not in PLACEHOLDERS or form or conversion):
            known = ", ".join(f"{{{each}}}" for each in PLACEHOLDERS)
            raise ConfigError(place, f"there is no placeholder {{{name}}} as it stands there; known are {known}")
    return said
