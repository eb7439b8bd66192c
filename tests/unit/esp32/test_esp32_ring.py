"""The ring of an ESP32 in flash: numbers, what it forgets, and what a power cut leaves of it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from firmware import load

ring = load("ring")
SEGMENT = 100  # two messages of the tests


def opened(root: Path, segments: int = 5) -> Any:
    return ring.Ring(str(root / "ring"), SEGMENT, segments)


def messages(count: int, begin: int = 1) -> list[str]:
    return [f"message {number:04} " + "x" * 30 for number in range(begin, begin + count)]


def fill(one: Any, count: int) -> None:
    for message in messages(count, one.next):
        one.append([message])


def numbers(one: Any) -> list[int]:
    return [number for number, _message in one.read(1, 1000)]


def test_numbers_begin_at_one_and_messages_come_back_in_order(tmp_path: Path) -> None:
    one = opened(tmp_path)
    assert (one.next, one.waiting, one.read(1, 5)) == (1, 0, [])
    one.append(messages(3))
    assert (one.next, one.waiting) == (4, 3)
    assert one.read(1, 2) == list(enumerate(messages(2), 1))
    assert one.read(3, 2) == [(3, messages(3)[2])]
    assert one.read(2, 9) == [(2, messages(2)[1]), (3, messages(3)[2])]


def test_what_was_not_acknowledged_is_there_after_a_power_cut(tmp_path: Path) -> None:
    one = opened(tmp_path)
    fill(one, 7)
    one.ack(3)
    fill(one, 1)  # the acknowledgement is written with it
    again = opened(tmp_path)
    assert (again.next, again.acked) == (9, 3)
    assert numbers(again) == [4, 5, 6, 7, 8]


def test_acknowledged_files_go_but_the_newest_keeps_the_numbers(tmp_path: Path) -> None:
    one = opened(tmp_path)
    fill(one, 8)
    one.ack(8)
    assert len(list((tmp_path / "ring").iterdir())) == 1
    assert opened(tmp_path).next == 9


def test_the_oldest_are_dropped_and_counted_over_a_power_cut_too(tmp_path: Path) -> None:
    one = opened(tmp_path, segments=3)
    fill(one, 10)
    assert numbers(one) == list(range(one.dropped + 1, 11))
    assert one.dropped > 0
    again = opened(tmp_path, segments=3)
    assert (again.dropped, again.next, again.acked) == (one.dropped, 11, one.acked)


def test_what_is_acknowledged_is_not_counted_as_dropped(tmp_path: Path) -> None:
    one = opened(tmp_path, segments=3)
    fill(one, 6)
    one.acked = 6  # with files that are still there, as after a kill between the two
    fill(one, 2)
    assert one.dropped == 0


def test_a_power_cut_at_any_byte_tears_no_message_and_reuses_no_number_that_was_given(tmp_path: Path) -> None:
    """What was not written whole was not sent: its number is free."""
    one = opened(tmp_path)
    fill(one, 3)
    newest = max((tmp_path / "ring").iterdir())
    whole = newest.read_bytes()
    for size in range(len(whole) + 1):
        newest.write_bytes(whole[:size])
        again = opened(tmp_path)
        left = whole[:size].count(b"\n")
        start = int(newest.name)
        assert again.next == start + left
        again.append(["after"])
        assert again.read(again.next - 1, 1) == [(start + left, "after")]
        assert numbers(again) == list(range(1, again.next))
        for path in (tmp_path / "ring").iterdir():
            if path > newest or int(path.name) == again.next - 1 > start:
                path.unlink()
        newest.write_bytes(whole)


def test_a_line_that_was_changed_is_counted_as_dropped_with_the_rest_of_its_file(tmp_path: Path) -> None:
    one = opened(tmp_path)
    fill(one, 6)
    first = min((tmp_path / "ring").iterdir())
    first.write_bytes(first.read_bytes().replace(b"message 0001", b"message 0007"))
    assert numbers(one) == [number for number in range(1, 7) if number > one.dropped]
    assert one.dropped > 0


def test_power_cuts_at_random(tmp_path: Path) -> None:
    """Each number that was given keeps its message, and is read until it is acknowledged."""
    chance = random.Random(1)
    given: dict[int, str] = {}
    one = opened(tmp_path, segments=50)
    acked = 0
    for step in range(500):
        if chance.random() < 0.1:
            one = opened(tmp_path, segments=50)
        elif chance.random() < 0.3 and one.waiting:
            acked = max(acked, chance.randint(one.acked + 1, one.next - 1))
            one.ack(acked)
        else:
            batch = [f"{step} {each}" for each in range(chance.randint(1, 4))]
            for number, message in enumerate(batch, one.next):
                assert number not in given
                given[number] = message
            one.append(batch)
        assert one.read(acked + 1, 1000) == [(n, given[n]) for n in range(acked + 1, one.next)]
        assert one.dropped == 0
