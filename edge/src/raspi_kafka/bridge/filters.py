"""MQTT topic filters (MQTT 5, 4.7)."""

from __future__ import annotations


def fault(topic_filter: str) -> str:
    """Return why a text is no filter that the bridge can subscribe to; "" if it is one."""
    levels = topic_filter.split("/")
    if not topic_filter:
        return "it is empty"
    if "\0" in topic_filter or len(topic_filter.encode()) > 0xFFFF:
        return "it has a NUL in it or is longer than 65535 bytes"
    if any("#" in level and level != "#" for level in levels) or "#" in levels[:-1]:
        return "`#` stands alone in the last level or not at all"
    if any("+" in level and level != "+" for level in levels):
        return "`+` stands alone in its level or not at all"
    if levels[0] == "$share":
        return "a shared subscription gives the messages of one device to several readers, and so loses their order"
    return ""


def matches(topic_filter: str, topic: str) -> bool:
    """Tell whether a topic is one of those of a filter."""
    return overlap(topic_filter, topic)


def overlap(one: str, other: str) -> bool:
    """Tell whether there is a topic that both filters match; a topic is a filter without wildcards.

    A wildcard in the first level matches no topic that begins with `$` (4.7.2); `a/#` matches `a` too (4.7.1.2).
    """
    first, second = one.split("/"), other.split("/")
    if hidden(first[0], second[0]) or hidden(second[0], first[0]):
        return False
    for left, right in zip(first, second, strict=False):
        if "#" in (left, right):
            return True
        if left != right and "+" not in (left, right):
            return False
    shorter, longer = sorted((first, second), key=len)
    return len(shorter) == len(longer) or longer[len(shorter) :] == ["#"]


def hidden(level: str, wildcard: str) -> bool:
    """Tell whether a first level is out of the other one's reach."""
    return level.startswith("$") and wildcard in ("+", "#")


def first_plus(topic_filter: str) -> int:
    """Return the level, from 1, of the first `+`; 0 if there is none."""
    levels = topic_filter.split("/")
    return levels.index("+") + 1 if "+" in levels else 0
