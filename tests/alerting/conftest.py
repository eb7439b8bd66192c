"""Servers, and deliveries that end with the test."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from raspi_kafka import mqtt_user
from raspi_kafka.alert import config_sinks, sinks
from raspi_kafka.alert.alertmanager import Alertmanager as AlertmanagerSink
from raspi_kafka.alert.topics import ALERTS, HEARTBEAT
from raspi_kafka.mqtt_publisher import Publisher

from tests.bridge.bridge import Bridge
from tests.bridge.conftest import kafka
from tests.bridge.kafka import TELEMETRY, TOPICS, Kafka
from tests.bridge.mosquitto import BRIDGE, PASSWORD, Mosquitto
from tests.bridge.process import Process, running, until
from tests.e2e.conftest import class_path
from tests.hosts.cache import REPOSITORY

from .alerting import TOPICS as ALERTING_TOPICS
from .alerting import USER, Alerting
from .alertmanager import Alertmanager
from .house import USER as HOUSE
from .receiver import Receiver
from .writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from raspi_kafka.alert.delivery import Delivery

__all__ = ["class_path", "kafka"]
ALERTING, PANEL, STRANGER = USER, "panel", "stranger"
DEVICES = [f"sim-{number:05}" for number in range(1, 351)]
ACL = f"""
user {ALERTING}
topic write {ALERTS}/#
topic write {HEARTBEAT}/{ALERTING}/#
user {BRIDGE}
topic read {HEARTBEAT}/#
user {HOUSE}
topic write devices/#
user {PANEL}
topic read {ALERTS}/#
topic read {HEARTBEAT}/#
"""
# In place of a minute: what is good for four of them is over soon if it is not sent again.
INTERVAL_S = 1.0


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory, class_path: str) -> Iterator[Kafka]:
    server = Kafka(tmp_path_factory.mktemp("alerting") / "kafka", class_path)
    server.topics = {**TOPICS, **ALERTING_TOPICS, ALERTS: (3, {})}
    with running(server):
        yield server


@pytest.fixture
def writer(kafka: Kafka) -> Writer:
    return Writer(kafka)


def server(root: Path) -> Mosquitto:
    """Return a Mosquitto with all users, which is not started."""
    return Mosquitto(root / "mosquitto", [ALERTING, HOUSE, PANEL, STRANGER, *DEVICES], ACL)


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    with running(server(tmp_path)) as mosquitto:
        yield mosquitto


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[Alertmanager]:
    with running(Alertmanager(tmp_path / "alertmanager")) as alertmanager:
        yield alertmanager


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    receiver.start()
    yield receiver
    receiver.stop()


@pytest.fixture
def started() -> Iterator[Callable[[Delivery], Delivery]]:
    """Start a delivery; it ends with the test."""
    made: list[Delivery] = []

    def start(delivery: Delivery) -> Delivery:
        made.append(delivery)
        delivery.start()
        return delivery

    yield start
    for each in made:
        each.stop()


@pytest.fixture
def to_webhook(kafka: Kafka, receiver: Receiver, started: Callable[[Delivery], Delivery]) -> Delivery:
    """A running delivery to the receiver."""
    return started(sinks.to_webhook(config_sinks.Webhook(receiver.url), (kafka.server,)))


@pytest.fixture
def to_alertmanager(
    kafka: Kafka, alertmanager: Alertmanager, started: Callable[[Delivery], Delivery]
) -> Callable[[], Delivery]:
    """Start a delivery to Alertmanager that sends again each second."""

    def start() -> Delivery:
        return started(sinks.of(AlertmanagerSink(alertmanager.url, None, INTERVAL_S), (kafka.server,)))

    return start


@pytest.fixture
def publisher(mosquitto: Mosquitto) -> Iterator[Callable[..., Publisher]]:
    """Start a publisher, as a user."""
    made: list[Publisher] = []

    def start(username: str = ALERTING, password: str = PASSWORD) -> Publisher:
        made.append(Publisher(mqtt_user.Mqtt("127.0.0.1", mosquitto.port, username, password)))
        made[-1].start()
        return made[-1]

    yield start
    for each in made:
        each.stop()


@pytest.fixture
def connected(publisher: Callable[..., Publisher]) -> Publisher:
    """A publisher that is connected."""
    found = publisher()
    until("it is connected", lambda: found.connected)
    return found


@pytest.fixture
def to_mqtt(
    kafka: Kafka, publisher: Callable[..., Publisher], started: Callable[[Delivery], Delivery]
) -> Callable[..., Delivery]:
    """Start a delivery to Mosquitto, as a user."""

    def start(username: str = ALERTING) -> Delivery:
        return started(sinks.to_mqtt(publisher(username), "pi", (kafka.server,)))

    return start


@pytest.fixture
def process(tmp_path: Path, kafka: Kafka, receiver: Receiver) -> Iterator[Process]:
    """A delivery to the receiver as a process, which is not started."""
    command = [sys.executable, "-m", "tests.alerting.deliver", kafka.server, "webhook", receiver.url]
    path = f"{REPOSITORY / 'edge' / 'src'}:{REPOSITORY}"
    process = Process(command, tmp_path / "deliver.log", {"PYTHONPATH": path})
    yield process
    process.clean_up()


@dataclass
class Line:
    """Mosquitto, bridge, Kafka and alerting; what is made ends with the test."""

    root: Path
    mosquitto: Mosquitto
    kafka: Kafka
    made: list[Process] = field(default_factory=list)

    def bridge(self, **more: Any) -> Bridge:
        """Return a bridge that runs."""
        trees = [{"filter": "devices/+/#", "topic": TELEMETRY}, {"filter": f"{HEARTBEAT}/+/#", "topic": HEARTBEAT}]
        return self.started(Bridge(self.root / "bridge", self.mosquitto, self.kafka, topics=trees, **more))

    def alerting(self, rules: list[dict[str, Any]], name: str = "alerting", **more: Any) -> Alerting:
        """Return an alerting that is not started."""
        if not any(isinstance(each, Bridge) for each in self.made):
            more.setdefault("stalled_after", "1h")  # no heartbeat comes back
        return self._made(Alerting(self.root / name, self.mosquitto, self.kafka, rules, **more))

    def started(self, process: Process) -> Any:
        """Start a process, and return it."""
        self._made(process).start()
        return process

    def clean_up(self) -> None:
        """End all that was made."""
        for process in self.made:
            process.clean_up()

    def _made(self, process: Process) -> Any:
        self.made.append(process)
        return process


@pytest.fixture
def line(tmp_path: Path, mosquitto: Mosquitto, kafka: Kafka) -> Iterator[Line]:
    line = Line(tmp_path, mosquitto, kafka)
    yield line
    line.clean_up()
