from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterator

import pytest
from ansible_collections.raspi.kafka.plugins.module_utils._replica_plan import (
    Key,
    Partition,
    Replicas,
    bytes_of,
    copies,
    place,
    shares,
)


def after(partitions: list[Partition], brokers: list[int]) -> dict[Key, Replicas]:
    return {one.key: one.replicas for one in partitions} | place(partitions, brokers)


def topic(name: str, *replicas: Replicas, aim: int = 3, size: int = 1000) -> list[Partition]:
    return [Partition(name, number, each, aim, size) for number, each in enumerate(replicas)]


def counts(placed: dict[Key, Replicas], name: str | None = None) -> Counter[int]:
    return Counter(broker for key, each in placed.items() for broker in each if name in (None, key[0]))


def spans(numbers: Counter[int], brokers: list[int]) -> int:
    """How much more the broker with the most has than that with the least."""
    each = [numbers[broker] for broker in brokers]
    return max(each) - min(each)


def drawn(seed: int, most_brokers: int, most_partitions: int) -> tuple[list[Partition], list[int]]:
    """A cluster that has grown: some brokers are new, and some topics have fewer replicas than they shall have."""
    draw = random.Random(seed)
    brokers = list(range(1, draw.randint(2, most_brokers) + 1))
    old = brokers[: draw.randint(1, len(brokers))]
    partitions: list[Partition] = []
    for name in "ab":
        has = draw.randint(1, min(3, len(old)))
        aim = draw.randint(has, min(3, len(brokers)))
        for number in range(draw.randint(1, most_partitions)):
            replicas = tuple(draw.sample(old, has))
            partitions.append(Partition(name, number, replicas, aim, draw.choice([0, 1, 10, 999])))
    return partitions, brokers


def every_even_way(partitions: list[Partition], brokers: list[int]) -> Iterator[dict[Key, Replicas]]:
    """All sets of brokers that are as even as can be, in all and for each topic."""
    ways = (itertools.combinations(brokers, one.wanted) for one in partitions)
    for way in itertools.product(*ways):
        placed = dict(zip([one.key for one in partitions], way, strict=True))
        names = [None, *{one.topic for one in partitions}]
        if all(spans(counts(placed, name), brokers) <= 1 for name in names):
            yield placed


@pytest.mark.parametrize("seed", range(150))
def test_no_even_way_copies_fewer_bytes(seed: int) -> None:
    partitions, brokers = drawn(seed, 4, 2)
    least = min(bytes_of(partitions, way) for way in every_even_way(partitions, brokers))
    assert bytes_of(partitions, place(partitions, brokers)) == least


@pytest.mark.parametrize("seed", range(150))
def test_a_grown_cluster_is_even_and_nothing_is_lost(seed: int) -> None:
    partitions, brokers = drawn(seed, 7, 9)
    placed = after(partitions, brokers)
    for one in partitions:
        assert len(set(placed[one.key])) == len(placed[one.key]) == one.wanted
        assert set(placed[one.key]) <= set(brokers)
    for name in (None, "a", "b"):
        assert spans(counts(placed, name), brokers) <= 1
    grown = [Partition(*one.key, placed[one.key], one.aim, one.size) for one in partitions]
    assert not place(grown, brokers), "a second plan finds something to do"


@pytest.mark.parametrize("seed", range(150))
def test_leaders_are_even_where_all_partitions_have_as_many_replicas(seed: int) -> None:
    partitions, brokers = drawn(seed, 6, 9)
    replicas = min(3, len(brokers))
    placed = after([Partition(*one.key, one.replicas, replicas, one.size) for one in partitions], brokers)
    assert spans(Counter(each[0] for each in placed.values()), brokers) <= 1
    for name in "ab":
        its = Counter(each[0] for key, each in placed.items() if key[0] == name)
        assert spans(its, brokers) <= 1


def test_from_one_to_three_each_broker_gets_all_and_leads_its_share() -> None:
    alone = [*topic("telemetry", (1,), (1,), (1,), (1,)), *topic("events", (1,)), *topic("alerts", (1,))]
    placed = after(alone, [1, 2, 3])
    assert all(sorted(each) == [1, 2, 3] for each in placed.values())
    assert shares(placed.values(), [1, 2, 3]) == {broker: {"replicas": 6, "leaders": 2} for broker in (1, 2, 3)}
    assert bytes_of(alone, placed) == 2 * 6 * 1000


def test_a_broker_that_fails_leaves_its_leaders_to_more_than_one() -> None:
    placed = after(topic("telemetry", *[(1,)] * 12), [1, 2, 3])
    assert {each[1] for each in placed.values() if each[0] == 1} == {2, 3}


def test_of_two_that_could_move_the_smaller_one_does() -> None:
    large, small = topic("a", (1, 2, 3), size=5000), topic("b", (1, 2, 3), size=10)
    placed = place([*large, *small], [1, 2, 3, 4])
    assert 4 not in placed.get(("a", 0), ())
    assert 4 in placed["b", 0]


def test_a_topic_with_more_replicas_than_it_shall_have_keeps_them() -> None:
    assert place(topic("a", (2, 1, 3), aim=1), [1, 2, 3]) == {}


def test_what_is_even_stays_down_to_the_order() -> None:
    even = topic("a", (1, 3, 2), (2, 1, 3), (3, 1, 2))
    assert place(even, [1, 2, 3]) == {}


def test_another_leader_costs_no_bytes() -> None:
    old = topic("a", (1, 2, 3), (1, 2, 3), (1, 2, 3))
    placed = place(old, [1, 2, 3])
    assert bytes_of(old, placed) == 0
    assert {each[0] for each in after(old, [1, 2, 3]).values()} == {1, 2, 3}
    assert len(placed) == 2, "the one that can stay stays"


def test_copies_are_what_a_partition_does_not_have_yet() -> None:
    assert copies(Partition("a", 0, (1, 2), 3), (3, 1, 2)) == [3]
