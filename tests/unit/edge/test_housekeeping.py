"""What the bridge does about records that hang, and what it takes for such."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from raspi_kafka.bridge import bridge as module
from raspi_kafka.bridge.bridge import Bridge, BridgeError
from raspi_kafka.bridge.config import Kafka
from raspi_kafka.bridge.stall import Health

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ASKED = {"telemetry", "dead-letters"}


class Delivery:
    """One record that does not land; `moves` is called when Kafka is asked."""

    def __init__(self) -> None:
        self.pending = 1
        self.held = ""
        self.recovering = False
        self.renewed = 0
        self.health_told = Health.IN_SYNC
        self.moves: Callable[[], None] = lambda: None

    def health(self, topics: Iterable[str], _timeout_s: float) -> Health:
        assert set(topics) == ASKED
        self.moves()
        return self.health_told

    def renew(self) -> None:
        self.renewed += 1

    def poll(self) -> bool:
        return False


class Stall:
    """Takes everything that stands for hanging; keeps what it was told."""

    def __init__(self) -> None:
        self.mark: object = None
        self.healths: list[Health] = []

    def stands(self, mark: object) -> bool:
        stands, self.mark = mark is not None and mark == self.mark, mark
        return stands

    def hangs(self, _now: float, health: Health) -> bool:
        self.healths.append(health)
        return True


@pytest.fixture
def delivery() -> Delivery:
    return Delivery()


@pytest.fixture
def stall() -> Stall:
    return Stall()


@pytest.fixture
def housekeep(monkeypatch: pytest.MonkeyPatch, delivery: Delivery, stall: Stall) -> Callable[..., None]:
    """Let the bridge look after things for some turns."""
    monkeypatch.setattr(module, "HOUSEKEEPING_S", 0.001)

    async def run(told: str) -> None:
        trees = [SimpleNamespace(filter="devices/+/#", topic="telemetry", device_level=2, schema=None)]
        config = SimpleNamespace(
            instance="pi", kafka=Kafka(("127.0.0.1:1",), 5), topics=trees, dead_letter_topic="dead-letters"
        )
        monkeypatch.setattr(Bridge, "delivery_class", lambda *_arguments: delivery)
        bridge = Bridge(config)
        bridge._stall, bridge._kafka_told = stall, told
        monkeypatch.setattr(bridge, "_arm", lambda: None)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(bridge._housekeep(), 0.2)

    return lambda told="": asyncio.run(run(told))


def test_a_new_producer_takes_what_hangs(
    housekeep: Callable[..., None], delivery: Delivery, stall: Stall, caplog: pytest.LogCaptureFixture
) -> None:
    housekeep()
    assert delivery.renewed
    assert set(stall.healths) == {Health.IN_SYNC}
    assert "a new producer takes them" in caplog.text


def test_the_process_ends_where_a_new_producer_makes_no_difference(
    housekeep: Callable[..., None], delivery: Delivery, stall: Stall
) -> None:
    delivery.recovering = True
    with pytest.raises(BridgeError, match="although it is well; the next process begins with"):
        housekeep()
    assert (delivery.renewed, stall.healths) == (0, [Health.LED]), "it has the longer time"


def test_with_a_broker_out_of_reach_it_is_doubted_that_all_is_in_sync(
    housekeep: Callable[..., None], stall: Stall
) -> None:
    housekeep("Kafka is out of reach: 127.0.0.1:1")
    assert set(stall.healths) == {Health.LED}


def test_what_lands_while_kafka_is_asked_does_not_hang(
    housekeep: Callable[..., None], delivery: Delivery, stall: Stall
) -> None:
    def land() -> None:
        delivery.pending = 0

    delivery.moves = land
    housekeep()
    assert (delivery.renewed, stall.healths) == (0, [])


@pytest.mark.parametrize("what", ["nothing is under way", "Kafka refuses it until a person acts"])
def test_what_cannot_land_does_not_hang(
    housekeep: Callable[..., None], delivery: Delivery, stall: Stall, what: str
) -> None:
    delivery.pending, delivery.held = (0, "") if what == "nothing is under way" else (1, "Kafka refuses topic x")
    housekeep()
    assert (delivery.renewed, stall.healths) == (0, [])
