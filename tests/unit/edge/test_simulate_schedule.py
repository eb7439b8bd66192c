"""When devices connect and send."""

from __future__ import annotations

import random

import pytest
from raspi_kafka.simulate.options import Burst, Credential, Options
from raspi_kafka.simulate.schedule import Schedule
from raspi_kafka.simulate.turns import Turns
from raspi_kafka.simulate.values import traits

DEVICES = tuple(Credential(f"sim-{number:05}", "x") for number in range(1000))


def schedule(**more: object) -> Schedule:
    return Schedule(Options(("127.0.0.1", 1883), DEVICES, **{"ramp_s": 10.0, "hold_s": 60.0, **more}))  # type: ignore[arg-type]


def dues(plan: Schedule, first_s: float) -> list[float]:
    """When the messages of one device are due."""
    return [due_s for due_s, _whose in Turns(plan, [(first_s, None)], lambda _whose: None).until(1e9)]


def test_devices_connect_evenly_over_the_ramp() -> None:
    plan = schedule()
    assert [plan.connects_at(number) for number in (0, 1, 500, 999)] == pytest.approx([0, 0.01, 5, 9.99])
    assert schedule(ramp_s=0.0).connects_at(999) == 0


def test_a_device_sends_at_its_rate_until_the_end_of_the_hold() -> None:
    found = dues(schedule(rate=2.0), 1.25)
    assert found[:3] == [1.25, 1.75, 2.25]
    assert found[-1] == 69.75
    assert len(found) == 138


def test_the_first_messages_of_devices_are_spread_over_the_interval() -> None:
    plan = schedule(ramp_s=0.0, rate=0.1)
    firsts = [plan.first(0.0, traits(0, each.device, 0.0).phase) for each in DEVICES]
    assert 0 <= min(firsts) < max(firsts) < 10
    for begins_s in range(10):
        assert 60 < sum(begins_s <= first_s < begins_s + 1 for first_s in firsts) < 140


def test_a_burst_multiplies_the_rate_for_its_time_and_then_all_is_as_before() -> None:
    found = dues(schedule(bursts=(Burst(20, 3, 10),)), 0.0)
    assert sum(due_s < 30 for due_s in found) == 30
    assert sum(30 <= due_s < 40 for due_s in found) == 30
    assert sum(due_s >= 40 for due_s in found) == 30
    assert found[30:33] == pytest.approx([30, 30 + 1 / 3, 30 + 2 / 3])
    assert found[60:62] == pytest.approx([40, 41])


def test_a_message_whose_interval_reaches_into_a_burst_comes_as_much_earlier() -> None:
    plan = schedule(bursts=(Burst(20, 4, 10), Burst(40, 0.5, 2)))
    assert plan.after(29.5) == pytest.approx(30 + 0.5 / 4)
    assert plan.after(39.875) == pytest.approx(40 + 0.5)
    assert plan.after(49.5) == pytest.approx(51)


def test_turns_come_in_the_order_of_time_and_none_is_left_out() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    plan = schedule(rate=0.5, bursts=(Burst(5, 7, 3),))
    firsts = [(chance.uniform(0, 30), number) for number in range(50)]
    last: list[int] = []
    turns, found, now_s = Turns(plan, firsts, last.append), [], 0.0
    while (next_s := turns.next_s()) is not None:
        now_s = max(next_s, now_s + chance.uniform(0, 4))
        some = list(turns.until(now_s))
        assert some
        assert all(due_s <= now_s for due_s, _who in some)
        found += some
        # Each was told of before its last turn, and of no other.
        assert {who for due_s, who in found if plan.after(due_s) >= plan.until_s} == set(last)
    assert found == sorted(found, key=lambda turn: turn[0])
    for first_s, number in firsts:
        assert [due_s for due_s, who in found if who == number] == dues(plan, first_s)


def test_a_device_whose_first_turn_is_beyond_the_end_has_none() -> None:
    turns = Turns(schedule(), [(70.0, "late")], lambda _whose: None)
    assert turns.next_s() is None
    assert list(turns.until(1e9)) == []
