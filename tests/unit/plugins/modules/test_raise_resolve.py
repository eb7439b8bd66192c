"""A device that raises an alert and ends it; Mosquitto, Kafka and alerting do here what a test tells them to."""

from __future__ import annotations

import itertools
import json
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.module_utils import _kafka, _mqtt_device
from ansible_collections.raspi.kafka.plugins.modules import raise_resolve
from kafka import TopicPartition
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from tests.module_args import patch_module_args

PROOF = "raspi-kafka-verify"
ARGS: dict[str, Any] = {
    "bootstrap_servers": ["127.0.0.1:9092"],
    "mqtt_host": "pi1",
    "device": PROOF,
    "password": "the-password-of-the-proof",
    "mqtt_topic": f"{PROOF}/{PROOF}/alert",
    "topic": PROOF,
    "rule": PROOF,
    "timeout": 5,
}
APPENDED = 1795694400000
TOOK = 12


class Kafka:
    """Logs of one partition each, and alerting, which reads each message of the proof."""

    def __init__(self) -> None:
        self.logs: dict[str, list[SimpleNamespace]] = {PROOF: [], "alerts": [], "raspi-kafka-heartbeat": []}
        self.at: dict[TopicPartition, int] = {}
        self.carried = self.deciding = self.beating = True
        self.firing = ""
        self.times = 1

    def topics(self) -> set[str]:
        return set(self.logs)

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return {0} if topic in self.logs else None

    def assign(self, places: list[TopicPartition]) -> None:
        self.at = dict.fromkeys(places, 0)

    def assignment(self) -> list[TopicPartition]:
        return list(self.at)

    def end_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        return {place: len(self.logs[place.topic]) for place in places}

    def seek(self, place: TopicPartition, offset: int) -> None:
        self.at[place] = offset

    def position(self, place: TopicPartition) -> int:
        return self.at[place]

    def poll(self, timeout_ms: int) -> dict[TopicPartition, list[SimpleNamespace]]:
        assert timeout_ms
        if self.beating:
            self.append("raspi-kafka-heartbeat", b"{}")
        came = {place: self.logs[place.topic][at:] for place, at in self.at.items()}
        self.at = self.end_offsets(list(self.at))
        return {place: records for place, records in came.items() if records}

    def close(self, autocommit: bool, timeout_ms: int) -> None:
        assert timeout_ms
        assert not autocommit

    def append(self, topic: str, value: bytes, timestamp: int = APPENDED) -> None:
        log = self.logs[topic]
        log.append(SimpleNamespace(offset=len(log), value=value, timestamp=timestamp))

    def carry(self, payload: bytes) -> None:
        """Take a message of the device, and let alerting judge it."""
        if not self.carried:
            return
        self.append(PROOF, payload)
        over = json.loads(payload)["alert"] > 0
        if self.deciding and over is not bool(self.firing):
            self.firing = self.firing or f"{PROOF}/{PROOF}/{PROOF}-0-{len(self.logs[PROOF]) - 1}"
            for _time in range(self.times):
                self.tell("FIRING" if over else "RESOLVED")
            self.firing = self.firing if over else ""

    def tell(self, state: str) -> None:
        alert = {"id": self.firing, "state": state, "decided_ms": APPENDED}
        self.append("alerts", json.dumps(alert).encode(), APPENDED + TOOK)


class Client:
    """A client of MQTT whose messages are acknowledged and carried at once."""

    def __init__(self, kafka: Kafka) -> None:
        self.kafka = kafka
        self.sent: list[int] = []

    def username_pw_set(self, user: str, password: str) -> None:
        assert (user, password) == (PROOF, ARGS["password"])

    def connect(self, host: str, port: int) -> None:
        assert (host, port) == ("pi1", 1883)

    def loop_start(self) -> None:
        self.on_connect(self, None, None, ReasonCode(PacketTypes.CONNACK, identifier=0), None)

    def publish(self, topic: str, payload: bytes, qos: int) -> None:
        assert (topic, qos) == (ARGS["mqtt_topic"], 1)
        self.sent.append(json.loads(payload)["alert"])
        self.kafka.carry(payload)
        self.on_publish(self, None, 1, ReasonCode(PacketTypes.PUBACK, identifier=0), None)

    def disconnect(self) -> None:
        pass

    def loop_stop(self) -> None:
        pass


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> Kafka:
    """Return it, with a clock that goes on by 0.1 s whenever it is read."""
    made = Kafka()
    options: list[dict[str, Any]] = []
    monkeypatch.setattr(_kafka, "KafkaConsumer", lambda **given: options.append(given) or made)
    monkeypatch.setattr(_mqtt_device, "Client", lambda *_version, **_options: Client(made))
    ticks = itertools.count()
    monkeypatch.setattr(raise_resolve.time, "monotonic", lambda: next(ticks) / 10)
    made.options = options
    return made


def result(capsys: pytest.CaptureFixture[str], **change: Any) -> dict[str, Any]:
    """Run the module as Ansible does."""
    with patch_module_args({**ARGS, **change}), pytest.raises(SystemExit):
        raise_resolve.main()
    return json.loads(capsys.readouterr().out)


def test_an_alert_is_raised_and_resolved_once_each(kafka: Kafka, capsys: pytest.CaptureFixture[str]) -> None:
    kafka.append(PROOF, b"of somebody else")
    told = result(capsys)
    assert told["alert_id"] == f"{PROOF}/{PROOF}/{PROOF}-0-2"
    assert told["decided_ms"] == {"FIRING": TOOK, "RESOLVED": TOOK}
    assert told["seen_ms"].keys() == {"FIRING", "RESOLVED"}
    assert not told["changed"]
    assert ARGS["password"] not in json.dumps(told)
    assert kafka.options[0]["isolation_level"] == "read_committed"


def test_an_alert_that_an_earlier_proof_has_left_is_not_taken_for_its_own(
    kafka: Kafka, capsys: pytest.CaptureFixture[str]
) -> None:
    kafka.carry(b'{"alert": 1}')
    assert kafka.firing
    assert result(capsys)["alert_id"] == f"{PROOF}/{PROOF}/{PROOF}-0-2"


@pytest.mark.parametrize(
    ("change", "reason", "says"),
    [
        ({"carried": False}, "lost", "it was not in the Kafka topic raspi-kafka-verify: look at the bridge"),
        ({"deciding": False, "beating": False}, "no_alerting", "systemctl status raspi-kafka-alerting"),
        ({"deciding": False}, "no_alert", "has not put FIRING of the rule raspi-kafka-verify into the topic alerts"),
        ({"times": 2}, "twice", "2 times with FIRING and 2 times with RESOLVED"),
    ],
)
def test_a_failure_says_which_hop_it_was(
    kafka: Kafka, capsys: pytest.CaptureFixture[str], change: dict[str, Any], reason: str, says: str
) -> None:
    vars(kafka).update(change)
    told = result(capsys)
    assert (told["failed"], told["reason"]) == (True, reason)
    assert says in told["msg"]


@pytest.mark.parametrize("topic", ["alerts", "raspi-kafka-heartbeat"])
def test_where_alerting_was_never_deployed_nothing_is_published(
    kafka: Kafka, capsys: pytest.CaptureFixture[str], topic: str
) -> None:
    del kafka.logs[topic]
    told = result(capsys)
    assert (told["failed"], told["reason"]) == (True, "no_alerting")
    assert told["msg"].startswith(f"Topic {topic} does not exist: alerting was never deployed")
    assert kafka.logs[PROOF] == []


@pytest.mark.usefixtures("kafka")
def test_an_option_out_of_range_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert result(capsys, timeout=4)["msg"].startswith("timeout is 4. Choose 5 to 3600.")
