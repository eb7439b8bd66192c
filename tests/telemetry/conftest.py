"""A Mosquitto, what reads from it, and agents, for each test."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.bridge.mosquitto import Mosquitto
from tests.bridge.process import running

from .agent import DEVICE, Agent
from .owner import ACL, OWNER, Owner
from .reader import Reader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Often, so that a test has many messages soon.
INTERVAL = "0.1s"


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    with running(Mosquitto(tmp_path / "mosquitto", [DEVICE, OWNER], ACL)) as mosquitto:
        yield mosquitto


@pytest.fixture
def reader(mosquitto: Mosquitto) -> Iterator[Reader]:
    reader = Reader(mosquitto.port)
    yield reader
    reader.close()


@pytest.fixture
def owner(mosquitto: Mosquitto) -> Iterator[Owner]:
    owner = Owner(mosquitto.port)
    yield owner
    owner.close()


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Agent]]:
    """Make agents that are not started."""
    made: list[Agent] = []

    def agent(*ports: int, **more: object) -> Agent:
        made.append(Agent(tmp_path / f"agent{len(made)}", *ports, **{"interval": INTERVAL, **more}))
        return made[-1]

    yield agent
    for each in made:
        each.clean_up()


@pytest.fixture
def agent(make: Callable[..., Agent], mosquitto: Mosquitto) -> Agent:
    return make(mosquitto.port)
