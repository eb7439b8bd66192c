"""The MQTT server goes, the agent is killed, the power fails: what is lost, and in which order the rest comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raspi_kafka.telemetry.message import Message, lines

from tests.bridge.process import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bridge.mosquitto import Mosquitto

    from .agent import Agent
    from .reader import Reader

SAVED = 60.0


def complete(numbers: list[int]) -> bool:
    """Tell whether numbers follow each other without a gap."""
    return numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_what_waits_for_a_killed_server_comes_in_order(agent: Agent, mosquitto: Mosquitto, reader: Reader) -> None:
    agent.start()
    reader.until_more(10)
    mosquitto.kill()
    until("messages wait on the disk", lambda: agent.saved() > 0, timeout=SAVED)
    mosquitto.start()
    reader.until_more(150)
    assert complete(reader.numbers())
    until("nothing is left on the disk", lambda: agent.saved() == 0)


def test_an_agent_killed_while_the_server_is_away_loses_nothing_and_uses_no_number_twice(
    agent: Agent, mosquitto: Mosquitto, reader: Reader
) -> None:
    agent.start()
    reader.until_more(10)
    mosquitto.kill()
    for _kill in range(3):
        before = agent.saved()
        until("more waits on the disk", lambda least=before: agent.saved() > least, timeout=SAVED)
        agent.kill()
        agent.start()
    mosquitto.start()
    reader.until_more(100)
    numbers = reader.numbers()
    assert complete(numbers)
    stamps = {(message["seq"], message["ts_ns"]) for message in reader.messages}
    assert len(stamps) == len(numbers), "a number was used for two messages"


def test_a_stopped_agent_saves_what_waits_and_goes_on_with_the_next_number(
    agent: Agent, mosquitto: Mosquitto, reader: Reader
) -> None:
    agent.start()
    reader.until_more(5)
    mosquitto.stop()
    until("it notices", lambda: "messages wait here" in agent.status())
    assert agent.stop() == 0
    for each in agent.runtime.iterdir():  # as systemd does
        each.unlink()
    mosquitto.start()
    agent.start()
    reader.until_more(10)
    assert complete(reader.numbers())


def test_after_a_power_cut_numbers_go_on_behind_all_that_may_have_been_used(
    agent: Agent, mosquitto: Mosquitto, reader: Reader
) -> None:
    agent.start()
    reader.until_more(5)
    mosquitto.kill()
    until("messages wait on the disk", lambda: agent.saved() > 0, timeout=SAVED)
    agent.power_cut()
    (file,) = agent.state.glob("*.messages")
    whole = file.read_bytes()
    file.write_bytes(whole[:-5] + bytes(100))  # what a power cut leaves of a file that was written
    mosquitto.start()
    agent.start()
    reader.until_more(whole.count(b"\n") + 5)
    numbers = reader.numbers()
    (gap,) = [number for number in numbers if number + 1 not in numbers and number != numbers[-1]]
    at = numbers.index(gap)
    assert complete(numbers[: at + 1])
    assert complete(numbers[at + 1 :])
    assert numbers[at + 1] > gap + 1
    assert "1 lines that are damaged" in agent.log.read_text()


def test_beyond_its_bound_the_oldest_messages_go_and_it_says_how_many(
    make: Callable[..., Agent], mosquitto: Mosquitto, reader: Reader
) -> None:
    agent = make(mosquitto.port, buffer_mib=1)
    mosquitto.kill()
    # A disk on which two MiB wait already, from before.
    (agent.state / "numbers").write_text("512 -1\n")
    for number in range(0, 512, 16):
        messages = [
            Message(each, b'{"seq":%d,"filled":"%b"}' % (each, b"x" * 4000)) for each in range(number, number + 16)
        ]
        (agent.state / f"{number:020}.messages").write_bytes(lines(messages))
    agent.start()
    until("it says that some are dropped", lambda: "are dropped" in agent.log.read_text(), timeout=SAVED)
    assert agent.saved() <= 1 << 20
    mosquitto.start()
    until("all has come", lambda: reader.messages and reader.numbers()[-1] > 520)
    numbers = reader.numbers()
    assert 256 < numbers[0] < 300
    assert numbers[-1] > 512
    assert complete(numbers)
