"""Values of the rules file, and numbers in words."""

from __future__ import annotations

import math
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from ..settings import ConfigError, Key, typed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..settings import Duration


def finite(value: float | None, place: str) -> float | None:
    """Return a number that others can be compared with."""
    if value is not None and not math.isfinite(value):
        raise ConfigError(place, f"{value} is no limit; give it a finite number")
    return value


def positive(value: float, place: str) -> float:
    """Return a number above 0."""
    if not 0 < value < math.inf:
        raise ConfigError(place, f"{value:g} is out of range; give it more than 0")
    return value


def milliseconds(value: Duration) -> int:
    """Return a duration as rules count it."""
    return round(value * 1000)


def lasting(value: Duration, place: str) -> int:
    """Return the milliseconds of a duration that may not be 0."""
    return milliseconds(positive(value, place))  # type: ignore[arg-type]


def path(field: str, place: str) -> tuple[str, ...]:
    """Return the keys of a field such as engine.temperature."""
    keys = tuple(field.split("."))
    if not all(keys):
        raise ConfigError(place, f"`{field}` is no path of keys; write it as a or a.b")
    return keys


def texts(said: list[Any], place: str) -> tuple[str, ...]:
    """Return a list of texts, none of which is empty."""
    return tuple(typed(each, Key(str, None), f"{place}[{number}]") for number, each in enumerate(said))


def matches(name: str, globs: Iterable[str]) -> bool:
    """Tell whether one of the globs matches a name."""
    return any(fnmatchcase(name, glob) for glob in globs)


def figure(value: float) -> str:
    """Return a number as people write it: a difference of 0.3 is not 0.30000000000000004."""
    return f"{value:.10g}"
