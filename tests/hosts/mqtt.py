"""Devices of a gateway: their passwords, their messages, and what Kafka has of them."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import yaml
from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from paho.mqtt.client import Client, MQTTMessageInfo, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from . import cache, host
from .play import playbook

SECONDS = 60


def passwords(name: str) -> dict[str, str]:
    """Return the passwords of the users of pi1 in a set of hosts, as its owner has them beside the inventory."""
    text = (cache.directory(name) / "credentials" / "pi1.yml").read_text()
    return yaml.safe_load(text)["passwords"]


def admit(name: str, device: str) -> str:
    """Let a device in, as its owner does; return its password."""
    run = playbook(name, "-e", f"add={device}", book="playbooks/device.yml")
    assert run.code == 0, run.output
    return passwords(name)[device]


class Device:
    """An MQTT 5 client that says what the broker answers."""

    def __init__(self, pi: host.Host, user: str, password: str, **options: Any) -> None:
        self.answers: list[ReasonCode] = []
        self.messages: list[tuple[str, bytes]] = []
        self.ended = threading.Event()
        self.client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5, **options)
        self.client.username_pw_set(user, password)
        self.client.on_connect = lambda _client, _data, _flags, reason, _properties: self.answered(reason)
        self.client.on_publish = lambda _client, _data, _mid, reason, _properties: self.answered(reason)
        self.client.on_disconnect = lambda *_told: self.ended.set()
        self.client.on_message = lambda _client, _data, message: self.messages.append((message.topic, message.payload))
        self.client.connect(pi.address)
        self.client.loop_start()
        self.await_answers(1)

    def answered(self, reason: ReasonCode) -> None:
        self.answers.append(reason)

    def await_answers(self, count: int) -> ReasonCode:
        """Wait until the broker has answered so often; return its last answer."""
        deadline = time.monotonic() + SECONDS
        while len(self.answers) < count:
            assert time.monotonic() < deadline, f"the broker answered {len(self.answers)} times and not {count}"
            time.sleep(0.05)
        return self.answers[count - 1]

    def publish(self, topic: str, payload: bytes, **options: Any) -> ReasonCode:
        """Send one message with QoS 1; return what its PUBACK says."""
        count = len(self.answers)
        sent: MQTTMessageInfo = self.client.publish(topic, payload, qos=1, **options)
        assert sent.rc == 0
        return self.await_answers(count + 1)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@contextlib.contextmanager
def connected(pi: host.Host, user: str, password: str, **options: Any) -> Iterator[Device]:
    device = Device(pi, user, password, **options)
    try:
        yield device
    finally:
        device.close()


class Records:
    """What comes into a topic."""

    def __init__(self, consumer: KafkaConsumer) -> None:
        self.consumer = consumer
        self.all: list[ConsumerRecord] = []

    def of(self, key: str, count: int) -> list[ConsumerRecord]:
        """Wait until there are so many records of a device; return them in order."""
        deadline = time.monotonic() + SECONDS
        while len(found := [one for one in self.all if one.key == key.encode()]) < count:
            assert time.monotonic() < deadline, f"{len(found)} records of {key} and not {count}: {self.all}"
            for records in self.consumer.poll(timeout_ms=500).values():
                self.all += records
        return sorted(found, key=lambda one: one.offset)


@contextlib.contextmanager
def records(pi: host.Host, topic: str) -> Iterator[Records]:
    """Read what comes into a topic from now on."""
    servers = f"{pi.address}:9092"
    with contextlib.closing(KafkaConsumer(bootstrap_servers=servers, group_id=None)) as consumer:
        places = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
        consumer.assign(places)
        for place, end in consumer.end_offsets(places).items():
            consumer.seek(place, end)
        yield Records(consumer)
