"""A producer that hangs is found; an outage of Kafka is not taken for that."""

from __future__ import annotations

from raspi_kafka.bridge.stall import Stall


def told(*states: tuple[int, int, bool, bool]) -> list[bool]:
    """Tell (time, landed, waiting, healthy), one after another."""
    stall = Stall(limit_s=100)
    return [stall.hangs(float(now), landed, waiting=w, healthy=h) for now, landed, w, h in states]


def test_nothing_lands_although_kafka_answers() -> None:
    assert told((0, 5, True, True), (99, 5, True, True), (101, 5, True, True)) == [False, False, True]


def test_something_lands_now_and_then() -> None:
    assert told((0, 5, True, True), (90, 6, True, True), (180, 6, True, True), (191, 6, True, True))[:3] == [False] * 3


def test_an_outage_does_not_count_however_long() -> None:
    states = [(0, 5, True, True), (50, 5, True, False), (9000, 5, True, False), (9001, 5, True, True)]
    assert told(*states, (9100, 5, True, True)) == [False] * 5
    assert told(*states, (9102, 5, True, True))[-1]


def test_with_nothing_to_send_nothing_has_to_land() -> None:
    assert told((0, 5, True, True), (50, 5, False, False), (500, 5, False, False), (501, 5, True, True)) == [False] * 4
