"""What waits: its order, its bounds, and what is left of it after a process or the power has ended."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from raspi_kafka.telemetry import buffer as buffers
from raspi_kafka.telemetry import message, numbers, segments
from raspi_kafka.telemetry.buffer import AWAY_S, BATCH_S, Buffer
from raspi_kafka.telemetry.config import LEAST_S
from raspi_kafka.telemetry.message import Message
from raspi_kafka.telemetry.numbers import BLOCK, Numbers
from raspi_kafka.telemetry.segments import Segments

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1 << 20


class Pi:
    """The folders of an agent, and its lives."""

    def __init__(self, root: Path, most_bytes: int = MIB) -> None:
        self.state, self.runtime = root / "state", root / "runtime"
        self.state.mkdir()
        self.runtime.mkdir()
        self.most_bytes = most_bytes
        self.now = 1000.0

    def start(self) -> Buffer:
        found = Segments(self.state, self.most_bytes)
        made = Buffer(Numbers(self.state, self.runtime), found, self.runtime)
        made.save(self.now)
        return made

    def power_cut(self) -> None:
        for path in self.runtime.iterdir():
            path.unlink()

    def saved(self) -> list[Path]:
        return sorted(self.state.glob("*.messages"))

    def away(self, buffer: Buffer) -> None:
        """Let what waits wait for so long that it is written."""
        self.now += AWAY_S + BATCH_S
        buffer.save(self.now)


@pytest.fixture
def pi(tmp_path: Path) -> Pi:
    return Pi(tmp_path)


def put(buffer: Buffer, count: int) -> list[int]:
    """Add messages; return their numbers."""
    made: list[int] = []

    def make(number: int) -> bytes:
        made.append(number)
        return b"payload of %d" % number

    for _message in range(count):
        buffer.put(make)
    return made


def drained(buffer: Buffer, most: int = 10**9) -> list[int]:
    """Take messages as a server does that acknowledges each; return their numbers."""
    taken: list[int] = []
    while len(taken) < most and (found := buffer.first()):
        assert found.payload == b"payload of %d" % found.number
        taken.append(found.number)
        buffer.remove(found)
    return taken


# --- order


def test_while_a_server_takes_all_nothing_is_written_but_a_block_of_numbers(pi: Pi) -> None:
    buffer = pi.start()
    for _second in range(100):
        made = put(buffer, 1)
        assert drained(buffer) == made
        pi.now += 1
        buffer.save(pi.now)
    assert [path.name for path in pi.state.iterdir()] == ["numbers"]
    assert (pi.runtime / "waiting").stat().st_size == 0


def test_a_server_that_restarts_is_no_reason_to_write(pi: Pi) -> None:
    buffer = pi.start()
    put(buffer, 3)
    pi.now += AWAY_S - 1
    buffer.save(pi.now)
    assert pi.saved() == []


def test_what_waits_longer_is_written_in_batches(pi: Pi) -> None:
    buffer = pi.start()
    sizes = []
    for _second in range(100):
        put(buffer, 1)
        pi.now += 1
        buffer.save(pi.now)
        sizes.append(sum(path.stat().st_size for path in pi.saved()))
    writes = sum(after > before for before, after in itertools.pairwise(sizes))
    assert writes == 1 + (100 - AWAY_S) // BATCH_S
    assert len(pi.saved()) == 1


def test_what_was_written_comes_before_what_is_in_memory(pi: Pi) -> None:
    buffer = pi.start()
    made = put(buffer, 50)
    pi.away(buffer)
    made += put(buffer, 50)
    pi.away(buffer)
    made += put(buffer, 3)
    assert drained(buffer, 10) == made[:10]
    made += put(buffer, 3)
    pi.away(buffer)
    assert drained(buffer) == made[10:]
    assert pi.saved() == []


# --- ends


def test_a_killed_process_loses_nothing_and_sends_nothing_twice(pi: Pi) -> None:
    buffer = pi.start()
    made = put(buffer, 40)
    pi.away(buffer)
    made += put(buffer, 5)
    assert drained(buffer, 7) == made[:7]
    again = pi.start()
    made += put(again, 2)
    assert drained(again) == made[7:]
    assert made == list(range(made[0], made[0] + 47))


def test_a_process_killed_between_the_disk_and_memory_sends_nothing_twice(pi: Pi) -> None:
    """What is on the disk is still in the file of the runtime directory then."""
    buffer = pi.start()
    made = put(buffer, 4)
    waiting = (pi.runtime / "waiting").read_bytes()
    pi.away(buffer)
    (pi.runtime / "waiting").write_bytes(waiting)
    again = pi.start()
    pi.away(again)
    assert drained(again) == made


class KilledError(BaseException):
    """Ends a function wherever it is, as SIGKILL does."""


class Kill:
    """Ends what is run within it at one of its calls into C.

    :param step: before which one.
    :ivar done: whether there were so many.
    """

    def __init__(self, step: int) -> None:
        self._left = step
        self.done = False

    def __enter__(self) -> None:
        sys.setprofile(self._look)

    def __exit__(self, *_raised: object) -> None:
        sys.setprofile(None)

    def _look(self, _frame: object, event: str, called: object) -> None:
        if event != "c_call" or called is sys.setprofile:
            return
        self._left -= 1
        if self._left < 0:
            self.done = True
            raise KilledError


def kills() -> Iterator[Kill]:
    """Make one for each step, until there are no more."""
    for step in itertools.count():
        yield (kill := Kill(step))
        if not kill.done:
            assert step > 10
            return


def test_a_process_killed_at_any_step_of_its_start_loses_nothing(tmp_path: Path) -> None:
    for kill in kills():
        root = tmp_path / f"{id(kill)}"
        root.mkdir()
        pi = Pi(root)
        made = put(pi.start(), 5)
        with contextlib.suppress(KilledError), kill:
            pi.start()
        assert drained(pi.start()) == made
        shutil.rmtree(root)


def test_a_process_killed_at_any_step_after_saving_loses_nothing_and_sends_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two messages come while others are saved, so what is in memory is written anew."""
    saved = segments.Segments.add
    for kill in kills():
        root = tmp_path / f"{id(kill)}"
        root.mkdir()
        pi = Pi(root)
        buffer = pi.start()
        made = put(buffer, 5)
        with monkeypatch.context() as patched, contextlib.suppress(KilledError), contextlib.ExitStack() as stack:

            def add(self: Segments, batch: list[Message]) -> None:
                saved(self, batch)
                made.extend(put(buffer, 2))  # noqa: B023 - it is called within this turn
                stack.enter_context(kill)  # noqa: B023

            patched.setattr(segments.Segments, "add", add)
            pi.away(buffer)
        assert drained(pi.start()) == made
        shutil.rmtree(root)


def test_a_line_that_was_cut_is_left_out(pi: Pi) -> None:
    buffer = pi.start()
    made = put(buffer, 5)
    waiting = pi.runtime / "waiting"
    waiting.write_bytes(waiting.read_bytes()[:-3])
    assert drained(pi.start()) == made[:4]


def test_stopped_in_good_order_it_goes_on_with_the_next_number(pi: Pi) -> None:
    buffer = pi.start()
    made = put(buffer, 5)
    drained(buffer, 2)
    buffer.close(pi.now)
    pi.power_cut()  # systemd removes the runtime directory
    again = pi.start()
    made += put(again, 1)
    assert drained(again) == made[2:]
    assert made == list(range(made[0], made[0] + 6))


def test_after_a_power_cut_no_number_is_used_again(pi: Pi) -> None:
    buffer = pi.start()
    made = put(buffer, 5)
    drained(buffer)
    for _block in range(2):  # two blocks further
        for _message in range(BLOCK):
            made += put(buffer, 1)
            drained(buffer)
    pi.power_cut()
    (after,) = put(pi.start(), 1)
    assert made[-1] < after <= made[-1] + BLOCK


def test_what_a_power_cut_leaves_of_a_file_is_sent(pi: Pi, caplog: pytest.LogCaptureFixture) -> None:
    buffer = pi.start()
    made = put(buffer, 10)
    pi.away(buffer)
    (path,) = pi.saved()
    path.write_bytes(path.read_bytes()[:-4] + bytes(512))
    pi.power_cut()
    again = pi.start()
    later = put(again, 1)
    assert drained(again) == made[:9] + later
    assert "1 lines that are damaged" in caplog.text


def test_a_new_card_does_not_begin_with_numbers_that_were_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour ago it began, with the shortest interval, and the power has failed ten times since."""
    hour_ago_ns = 1_800_000_000 * 10**9
    monkeypatch.setattr(numbers.time, "time_ns", lambda: hour_ago_ns)
    first = Numbers(tmp_path / "old", None).take()
    monkeypatch.setattr(numbers.time, "time_ns", lambda: hour_ago_ns + 3600 * 10**9)
    assert Numbers(tmp_path / "new", None).take() > first + 3600 / LEAST_S + 10 * BLOCK


def test_a_number_file_that_is_cut_counts_as_none(tmp_path: Path) -> None:
    path = tmp_path / "numbers"
    numbers.write(path, numbers.Noted(70, -1))
    assert numbers.read(path) == (70, -1)
    path.write_bytes(path.read_bytes()[:-1])
    assert numbers.read(path) is None


def test_numbers_go_on_where_the_disk_takes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_any: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(numbers, "write", full)
    given = Numbers(tmp_path, None)
    assert given.take() + 1 == given.take()
    assert caplog.text.count("numbers may be used twice: No space left") == 1


# --- bounds


def test_beyond_the_bound_the_oldest_files_go_and_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pi = Pi(tmp_path, most_bytes=200_000)
    buffer = pi.start()
    made = []
    for _batch in range(40):
        made += put(buffer, 300)
        pi.away(buffer)
    assert sum(path.stat().st_size for path in pi.saved()) <= 200_000
    left = drained(buffer)
    assert left == made[-len(left) :]
    dropped = sum(int(line.split("the oldest ")[1].split()[0]) for line in caplog.messages if "are dropped" in line)
    assert dropped == len(made) - len(left) > 0


def test_what_is_being_sent_may_be_dropped_too(tmp_path: Path) -> None:
    pi = Pi(tmp_path, most_bytes=200_000)
    buffer = pi.start()
    made = put(buffer, 2000)
    pi.away(buffer)
    assert drained(buffer, 10) == made[:10]
    for _batch in range(10):
        made += put(buffer, 2000)
        pi.away(buffer)
    left = drained(buffer)
    assert left == made[-len(left) :]


def test_a_full_disk_keeps_the_newest_in_memory_and_nothing_twice(
    pi: Pi, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(buffers, "MOST_IN_MEMORY", 100)
    buffer = pi.start()
    made = put(buffer, 50)
    pi.away(buffer)
    fdatasync = os.fdatasync

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(segments.os, "fdatasync", full)
    for _batch in range(5):
        made += put(buffer, 50)
        pi.away(buffer)
    assert caplog.text.count("messages can't be saved to the disk (No space left on device)") == 1
    assert buffer.dropped == 150
    assert (pi.runtime / "waiting").stat().st_size < 100 * 100
    monkeypatch.setattr(segments.os, "fdatasync", fdatasync)
    pi.away(buffer)
    assert "saved to the disk again; 150 were dropped" in caplog.text
    assert drained(buffer) == made[:50] + made[-100:]


def test_a_folder_that_could_not_be_synchronised_has_nothing_twice(
    pi: Pi, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_folder: Path) -> None:
        raise OSError(5, "Input/output error")

    buffer = pi.start()
    made = put(buffer, 5)
    with monkeypatch.context() as patched:
        patched.setattr(segments, "sync_folder", broken)
        pi.away(buffer)
    assert "messages can't be saved to the disk (Input/output error)" in caplog.text
    made += put(buffer, 1)
    pi.away(buffer)
    pi.power_cut()
    assert drained(pi.start()) == made


def test_a_file_that_cannot_be_read_is_lost_alone(pi: Pi, caplog: pytest.LogCaptureFixture) -> None:
    buffer = pi.start()
    put(buffer, 5)
    pi.away(buffer)
    (path,) = pi.saved()
    path.unlink()
    path.mkdir()
    later = put(buffer, 2)
    assert drained(buffer) == later
    assert "can't be read" in caplog.text


# --- lines


def test_a_line_says_number_and_payload_and_is_found_damaged() -> None:
    sent = [Message(1, b'{"a":1}'), Message(2**63, b"\xff not JSON")]
    assert message.parse(message.lines(sent)) == (sent, 0)
    assert message.parse(message.lines(sent).replace(b"1 ", b"7 ", 1)) == (sent[1:], 1)
