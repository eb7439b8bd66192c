"""The bridge is killed again and again: what devices saw acknowledged is in Kafka.

The same runs with a bridge that acknowledges on receipt show that the test would see a loss.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from .process import until

if TYPE_CHECKING:
    from .account import Account
    from .conftest import Line

KILLS = 10
RATE = 1000
# So many messages are under way at each moment that a kill takes some with it.
LINGER_MS = 300
UNACKED_AT_LEAST = 100
SEEDS = (1, 2, 3)


def kill_again_and_again(line: Line, module: str, seed: int) -> Account:
    """Kill at random moments, each with many records under way."""
    print(f"seed {seed}")
    chance = random.Random(seed)
    bridge = line.bridge(module=module, linger_ms=LINGER_MS)
    bridge.start()
    sender = line.sender(RATE, 10**9)
    for _kill in range(KILLS):
        landed = bridge.metrics().get("produced_total", 0) + chance.uniform(0.3, 1.5) * RATE
        until(
            "many records are under way",
            lambda least=landed: (
                bridge.metrics().get("produced_total", 0) > least
                and bridge.metrics().get("in_flight", 0) >= UNACKED_AT_LEAST
            ),
            pause=0.01,
        )
        bridge.kill()
        bridge.start()
    assert sender.stop() == 0
    bridge.quiet()
    return line.account()


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_and_order_is_kept(line: Line, seed: int) -> None:
    found = kill_again_and_again(line, "raspi_kafka", seed)
    print(found)
    assert found.acknowledged > KILLS * UNACKED_AT_LEAST
    assert (found.lost, found.disordered) == (0, 0)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_bridge_that_acknowledges_on_receipt_loses(line: Line, seed: int) -> None:
    found = kill_again_and_again(line, "tests.bridge.controls.ack_on_receipt", seed)
    print(found)
    assert found.lost > 0
