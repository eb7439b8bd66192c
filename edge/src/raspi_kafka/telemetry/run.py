"""One life of the service."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from .. import garbage, logs
from ..commands.record import LONGEST_LIFE_MS
from ..commands.topics import to_device
from ..mqtt_publisher import Inbox, Publisher
from ..systemd import directory
from .agent import Agent, AgentError
from .buffer import Buffer
from .courier import Courier
from .listener import Listener
from .numbers import Numbers
from .segments import Segments
from .sensors import Sensors

if TYPE_CHECKING:
    from .config import Config


def run(wanted: Config) -> int:
    """Return 0 once it was stopped, or 1 after a failure."""
    logs.set_up()
    try:
        live(wanted)
    except (AgentError, OSError) as failed:
        logging.getLogger(__name__).critical("telemetry ends: %s; the next process goes on with what waits", failed)
        return 1
    return 0


def live(wanted: Config) -> None:
    """Return once it was stopped.

    :raises AgentError: it can't go on.
    :raises OSError: its folders can't be used.
    """
    listener = Listener(wanted.device)
    inbox = Inbox(to_device(wanted.device), listener.put, LONGEST_LIFE_MS // 1000)
    publisher = Publisher(*wanted.servers, inbox=inbox)
    agent = made(wanted, publisher)
    garbage.search_seldom()
    listener.start(publisher, agent.set_interval)
    with publisher:
        try:
            agent.run()
        finally:
            listener.stop()


def made(wanted: Config, publisher: Publisher) -> Agent:
    """Return the agent that a configuration asks for.

    :raises OSError: its folders can't be used.
    """
    state, runtime = directory("STATE_DIRECTORY"), directory("RUNTIME_DIRECTORY")
    segments = Segments(state, wanted.buffer_bytes) if state else None
    buffer = Buffer(Numbers(state, runtime), segments, runtime)
    courier = Courier(buffer, publisher, wanted.topic)
    return Agent(wanted.device, wanted.interval_s, Sensors(), buffer, courier)
