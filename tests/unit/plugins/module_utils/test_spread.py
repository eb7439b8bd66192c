from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.module_utils._spread import Item, spread

Taken = dict[Any, tuple[int, ...]]


def every_way(items: list[Item]) -> Iterator[Taken]:
    """All that can be done, however uneven."""
    ways = (itertools.combinations(sorted(item.costs), item.take) for item in items)
    for way in itertools.product(*ways):
        yield dict(zip([item.key for item in items], way, strict=True))


def beyond(counts: Iterable[int], even: int) -> int:
    """What goes beyond an even share, each unit weighing one more than the one before."""
    return sum(number * (number + 1) // 2 for number in (count - even for count in counts) if number > 0)


def judged(items: list[Item], takers: list[int], taken: Taken) -> tuple[int, int, int]:
    """How uneven the takers are, how uneven they are within groups, and what it costs."""
    by_taker = Counter(taker for each in taken.values() for taker in each)
    units = sum(item.take for item in items)
    within = 0
    for group in {item.group for item in items}:
        its = [item for item in items if item.group == group]
        counts = Counter(taker for item in its for taker in taken[item.key])
        within += beyond(counts.values(), sum(item.take for item in its) // len(takers))
    cost = sum(item.costs[taker] for item in items for taker in taken[item.key])
    return beyond(by_taker.values(), units // len(takers)), within, cost


def drawn(seed: int) -> tuple[list[Item], list[int]]:
    """A few items with few takers, of which some may not take some items."""
    draw = random.Random(seed)
    takers = list(range(1, draw.randint(2, 4) + 1))
    items = []
    for number in range(draw.randint(1, 5)):
        allowed = draw.sample(takers, draw.randint(1, len(takers)))
        costs = {taker: draw.choice([0, 0, 1, 7, 500]) for taker in allowed}
        items.append(Item(number, draw.choice("ab"), draw.randint(1, len(allowed)), costs))
    return items, takers


@pytest.mark.parametrize("seed", range(200))
def test_no_way_is_more_even_and_of_those_none_is_cheaper(seed: int) -> None:
    items, takers = drawn(seed)
    found = {key: tuple(each) for key, each in spread(items, takers).items()}
    assert [len(found[item.key]) for item in items] == [item.take for item in items]
    assert judged(items, takers, found) == min(judged(items, takers, way) for way in every_way(items))


def test_where_all_is_even_already_nothing_is_taken_over() -> None:
    items = [Item(number, "a", 1, {1: int(number != 1), 2: int(number == 1)}) for number in (1, 2)]
    assert spread(items, [1, 2]) == {1: [1], 2: [2]}


def test_nothing_to_take_is_no_failure() -> None:
    assert spread([], [1, 2]) == {}
