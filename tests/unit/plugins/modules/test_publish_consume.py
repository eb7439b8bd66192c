"""Messages of a device on their way into Kafka; Mosquitto and Kafka say here what a test tells them to."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.module_utils import _kafka, _mqtt_device
from ansible_collections.raspi.kafka.plugins.module_utils._kafka import ExpectedError
from ansible_collections.raspi.kafka.plugins.module_utils._mqtt_device import Device
from ansible_collections.raspi.kafka.plugins.module_utils._mqtt_proof import payload_of
from ansible_collections.raspi.kafka.plugins.modules import publish_consume
from ansible_collections.raspi.kafka.plugins.modules.publish_consume import Reader
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from tests.module_args import patch_module_args

ARGS: dict[str, Any] = {
    "bootstrap_servers": ["127.0.0.1:9092"],
    "mqtt_host": "pi1",
    "device": "kitchen",
    "password": "the-password-of-the-kitchen",
    "mqtt_topic": "devices/kitchen/proof",
    "topic": "telemetry",
    "messages": 3,
}
OPTIONS = {**ARGS, "mqtt_port": 1883, "client_id": "me", "request_timeout_ms": 1000}


class Kafka:
    """A consumer of a log with one partition."""

    def __init__(self) -> None:
        self.log: list[SimpleNamespace] = []
        self.at = 0

    def take(self, value: bytes, key: bytes = b"kitchen", topic: str = ARGS["mqtt_topic"]) -> None:
        headers = [("mqtt.topic", topic.encode())]
        self.log.append(
            SimpleNamespace(offset=len(self.log), key=key, value=value, headers=headers, timestamp=1795694400123)
        )

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return {0} if topic == "telemetry" else None

    def assign(self, places: list[Any]) -> None:
        self.places = places

    def assignment(self) -> list[Any]:
        return self.places

    def end_offsets(self, places: list[Any]) -> dict[Any, int]:
        return dict.fromkeys(places, len(self.log))

    def seek(self, _place: Any, offset: int) -> None:
        self.at = offset

    def poll(self, timeout_ms: int) -> dict[Any, list[SimpleNamespace]]:
        assert timeout_ms >= 0
        records, self.at = self.log[self.at :], len(self.log)
        return {self.places[0]: records} if records else {}

    def close(self, autocommit: bool, timeout_ms: int) -> None:
        assert timeout_ms
        assert not autocommit


def throw(error: Exception | None) -> None:
    """Raise what a test has put there."""
    if error:
        raise error


class Client:
    """A client of MQTT whose connection and messages are answered at once; what it publishes is in Kafka then."""

    connack = puback = 0
    refused: OSError | None = None

    def __init__(self, kafka: Kafka) -> None:
        self.kafka = kafka

    def username_pw_set(self, user: str, password: str) -> None:
        assert password == ARGS["password"]
        self.user = user

    def connect(self, host: str, port: int) -> None:
        assert (host, port) == ("pi1", 1883)
        throw(self.refused)

    def loop_start(self) -> None:
        self.on_connect(self, None, None, ReasonCode(PacketTypes.CONNACK, identifier=self.connack), None)

    def publish(self, topic: str, payload: bytes, qos: int) -> None:
        assert qos == 1
        self.kafka.take(payload, self.user.encode(), topic)
        self.on_publish(self, None, 1, ReasonCode(PacketTypes.PUBACK, identifier=self.puback), None)

    def disconnect(self) -> None:
        pass

    def loop_stop(self) -> None:
        pass


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> Kafka:
    made = Kafka()
    monkeypatch.setattr(_kafka, "KafkaConsumer", lambda **_options: made)
    return made


@pytest.fixture
def client(kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> Client:
    made = Client(kafka)
    monkeypatch.setattr(_mqtt_device, "Client", lambda *_version, **_options: made)
    return made


def result(capsys: pytest.CaptureFixture[str], **change: Any) -> dict[str, Any]:
    """Run the module as Ansible does."""
    with patch_module_args({**ARGS, **change}), pytest.raises(SystemExit):
        publish_consume.main()
    return json.loads(capsys.readouterr().out)


@pytest.mark.usefixtures("client")
def test_what_was_published_is_read_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    told = result(capsys)
    assert (told["changed"], told["messages_published"], told["records_consumed"]) == (False, 3, 3)
    assert told["hops"].keys() == {"puback", "consumer"}
    assert ARGS["password"] not in json.dumps(told)


def test_only_what_comes_from_now_on_and_is_of_this_run_counts(kafka: Kafka) -> None:
    kafka.take(payload_of("r1", 1, 2))
    reader = Reader(kafka, OPTIONS["topic"], "r1")
    kafka.take(payload_of("r2", 1, 2))
    kafka.take(payload_of("r1", 2, 2))
    reader.poll(0.01)
    assert [one.value for one in reader.found] == [payload_of("r1", 2, 2)]


@pytest.mark.parametrize(
    ("change", "reason", "says"),
    [
        ({"connack": 0x86}, "refused", "does not let kitchen in: bad user name or password. Its password there"),
        ({"puback": 0x10}, "no_subscriber", "nobody reads it: look whether the bridge has its session"),
        ({"puback": 0x87}, "refused", "the device may not publish there: look at the ACL"),
        ({"puback": 0x97}, "not_acknowledged", "says 'quota exceeded': look into its journal"),
        (
            {"refused": ConnectionRefusedError(111, "Connection refused")},
            "unreachable",
            "cannot be reached at pi1:1883",
        ),
    ],
)
def test_what_mosquitto_does_not_take_is_told_with_what_to_look_at(
    client: Client, capsys: pytest.CaptureFixture[str], change: dict[str, Any], reason: str, says: str
) -> None:
    vars(client).update(change)
    told = result(capsys)
    assert (told["failed"], told["reason"]) == (True, reason)
    assert says in told["msg"]


@pytest.mark.usefixtures("client")
def test_a_server_that_does_not_answer_is_not_waited_for_without_end() -> None:
    with pytest.raises(ExpectedError, match="pi1:1883 did not acknowledge the connection within 0 s") as silent:
        Device(OPTIONS).wait(0.01, "the connection")
    assert silent.value.facts["reason"] == "timeout"


@pytest.mark.usefixtures("client")
def test_a_topic_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    told = result(capsys, topic="telemtry")
    assert (told["failed"], told["reason"]) == (True, "invalid")
    assert told["msg"].startswith("Topic telemtry does not exist. Declare it in topics_declared.")


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize("change", [{"messages": 0}, {"timeout": 4}, {"timeout": 3601}, {"mqtt_port": 65536}])
def test_options_out_of_range_are_refused_by_name(change: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    told = result(capsys, **change)
    assert (told["failed"], told["reason"]) == (True, "invalid")
    assert told["msg"].startswith(f"{next(iter(change))} is ")
