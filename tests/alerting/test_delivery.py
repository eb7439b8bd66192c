"""Each alert gets out at least once, with the same id, and those of a device in order."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from raspi_kafka.alert import config_sinks, sinks
from raspi_kafka.alert.alert import Alert, State
from raspi_kafka.alert.topics import ALERTS

from tests.bridge.process import until

from .conftest import PANEL, STRANGER
from .receiver import Receiver
from .subscriber import Subscriber
from .writer import alert, episode, what

if TYPE_CHECKING:
    from collections.abc import Callable

    from raspi_kafka.alert.delivery import Delivery
    from raspi_kafka.mqtt_publisher import Publisher

    from tests.bridge.kafka import Kafka
    from tests.bridge.mosquitto import Mosquitto
    from tests.bridge.process import Process

    from .alertmanager import Alertmanager
    from .writer import Writer

EPISODES = 20
DEVICES = ("device-1", "device-2", "küche/1")
# Far above what a commit takes that is not held back; less would only find less.
SECONDS_UNSEEN = 2


def all_episodes() -> list[Alert]:
    return [each for number in range(EPISODES) for device in DEVICES for each in episode(number, device)]


def by_device(took: list[tuple[str, str]]) -> dict[str, list[tuple[str, str]]]:
    return {device: [each for each in took if each[0].startswith(f"hot/{device}/")] for device in DEVICES}


def started_at(alerts: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name: each["startsAt"] for name, each in alerts.items()}


# --- webhook


def test_each_alert_arrives_in_the_order_of_its_device(
    writer: Writer, receiver: Receiver, to_webhook: Delivery
) -> None:
    for each in all_episodes():
        writer.write(each)
    until("all have come", lambda: to_webhook.counters.delivered == len(all_episodes()))
    assert by_device(receiver.took) == by_device(what(all_episodes()))
    assert Alert.from_json(json.dumps(receiver.posts[0].said).encode()) in all_episodes()
    assert len({post.headers["Idempotency-Key"] for post in receiver.posts}) == len(all_episodes())
    until("nothing waits", lambda: to_webhook.waiting_s() == 0)


def test_what_a_receiver_does_not_take_is_sent_until_it_does(
    writer: Writer, receiver: Receiver, to_webhook: Delivery
) -> None:
    receiver.answers = [500, 0, 429, 401, 302, 200]
    writer.write(*episode(1))
    until("both have come", lambda: to_webhook.counters.delivered == 2)
    assert receiver.took == [what(episode(1))[0]] * 6 + [what(episode(1))[1]]
    assert len({post.headers["Idempotency-Key"] for post in receiver.posts}) == 2
    assert to_webhook.counters.retries == 5


def test_what_a_receiver_refuses_is_passed_over(
    writer: Writer, receiver: Receiver, to_webhook: Delivery, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.answers = [400]
    writer.write(alert(1), b"what is no alert", alert(2))
    until("the last one has come", lambda: to_webhook.counters.delivered == 1)
    assert (to_webhook.counters.refused, to_webhook.counters.unreadable) == (1, 1)
    assert "webhook refuses hot/device-1/telemetry-0-1 FIRING, which is passed over: http://127.0.0.1" in caplog.text
    assert "it is no alert" in caplog.text


def test_nothing_is_missed_while_the_receiver_is_away(
    writer: Writer, receiver: Receiver, to_webhook: Delivery, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    receiver.stop()
    for number in range(EPISODES):
        writer.write(*episode(number))
    until("it was tried", lambda: to_webhook.counters.retries >= 3)
    assert to_webhook.waiting_s() > 0
    receiver.start()
    until("all have come", lambda: to_webhook.counters.delivered == 2 * EPISODES)
    assert receiver.took == [each for number in range(EPISODES) for each in what(episode(number))]
    assert caplog.text.count("takes no alerts, they wait") == 1
    until("it is told", lambda: "webhook takes alerts again" in caplog.text)


def test_what_an_aborted_transaction_says_never_arrives(
    writer: Writer, receiver: Receiver, to_webhook: Delivery
) -> None:
    for number in range(5):
        writer.abort(*episode(number), *episode(number, "device-2"))
        writer.write(alert(100 + number))
    until("all have come", lambda: to_webhook.counters.delivered == 5)
    assert receiver.took == what([alert(100 + number) for number in range(5)])


def test_a_process_killed_before_it_commits_is_followed_by_one_that_sends_again(
    writer: Writer, receiver: Receiver, process: Process
) -> None:
    receiver.before_answer = lambda: time.sleep(SECONDS_UNSEEN) or process.kill()
    writer.write(alert(1))
    process.start()
    until("it was killed", lambda: not process.running)
    receiver.before_answer = lambda: None
    process.start()
    until("it has come again", lambda: len(receiver.posts) == 2)
    first, second = receiver.posts
    assert first.said == second.said
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]


def test_a_process_that_ends_in_good_order_is_followed_by_one_that_goes_on(
    writer: Writer, receiver: Receiver, process: Process
) -> None:
    for number in range(3):
        process.start()
        writer.write(alert(number))
        until("it has come", lambda least=number: len(receiver.posts) > least)
        assert process.stop() == 0, process.tail()
    assert receiver.took == what([alert(number) for number in range(3)])


# --- Kafka is away


def test_urgent_alerts_arrive_while_kafka_is_down(
    kafka: Kafka, writer: Writer, receiver: Receiver, to_webhook: Delivery
) -> None:
    writer.write(alert(1))
    until("it has come", lambda: to_webhook.counters.delivered == 1)
    kafka.kill()
    for each in episode(2):
        to_webhook.urgent(each)
    until("both have come", lambda: to_webhook.counters.delivered == 3)
    kafka.start()
    writer.write(*episode(2))
    until("they have come from Kafka too", lambda: to_webhook.counters.delivered == 5)
    assert receiver.took == what([alert(1), *episode(2), *episode(2)])


def test_urgent_alerts_arrive_if_kafka_was_never_there(
    kafka: Kafka, receiver: Receiver, started: Callable[[Delivery], Delivery], caplog: pytest.LogCaptureFixture
) -> None:
    kafka.kill()
    delivery = started(sinks.to_webhook(config_sinks.Webhook(receiver.url), (kafka.server,)))
    delivery.urgent(alert(1))
    until("it has come", lambda: receiver.took == what([alert(1)]))
    until("it is told", lambda: "alerts can't be read from topic alerts" in caplog.text)
    kafka.start()
    delivery.urgent(alert(2))
    until("it has come", lambda: delivery.counters.delivered == 2)


def test_a_topic_that_gets_more_partitions_is_read_as_a_whole(
    kafka: Kafka,
    writer: Writer,
    receiver: Receiver,
    started: Callable[[Delivery], Delivery],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("raspi_kafka.alert.inbox.SECONDS_BETWEEN_LOOKS", 1.0)
    delivery = started(sinks.to_webhook(config_sinks.Webhook(receiver.url), (kafka.server,)))
    writer.write(alert(1))
    until("it has come", lambda: delivery.counters.delivered == 1)
    kafka.enlarge(ALERTS, 40)
    wanted = {alert(number, device=f"device-{number}") for number in range(2, 82)}
    until("the writer sees them", lambda: writer.partitions() == 40)
    writer.write(*wanted)
    until(
        "all have come", lambda: {Alert.from_json(json.dumps(post.said).encode()) for post in receiver.posts} >= wanted
    )


# --- Alertmanager


def test_alertmanager_shows_what_fires_and_not_what_is_over(
    writer: Writer, alertmanager: Alertmanager, to_alertmanager: Callable[[], Delivery]
) -> None:
    to_alertmanager()
    writer.write(alert(1), *episode(2, "device-2"), alert(3, device="küche/1"))
    until("it shows them", lambda: len(alertmanager.active()) == 2)
    shown = alertmanager.active()[alert(1).id]
    assert shown["labels"] == {
        "alertname": "hot",
        "device": "device-1",
        "severity": "warning",
        "source": "raspi-kafka",
    }
    assert shown["annotations"]["summary"] == "device-1 is hot"
    assert shown["status"]["state"] in ("active", "unprocessed")
    assert alert(3, device="küche/1").id in alertmanager.active()
    writer.write(alert(1, State.RESOLVED))
    until("it is over", lambda: set(alertmanager.active()) == {alert(3, device="küche/1").id})


def test_alertmanager_is_sent_again_what_fires(
    writer: Writer, alertmanager: Alertmanager, to_alertmanager: Callable[[], Delivery]
) -> None:
    """Each time it is good for four seconds here: within 40 it would be over, and seen to be."""
    to_alertmanager()
    writer.write(alert(1))
    until("it shows it", alertmanager.active)
    ends = {alertmanager.active()[alert(1).id]["endsAt"]}
    until("it was sent again", lambda: ends.add(alertmanager.active()[alert(1).id]["endsAt"]) or len(ends) == 8)


def test_alertmanager_that_forgets_is_told_again(
    writer: Writer, alertmanager: Alertmanager, to_alertmanager: Callable[[], Delivery]
) -> None:
    to_alertmanager()
    writer.write(alert(1), *episode(2, "device-2"))
    until("it shows it", alertmanager.active)
    before = started_at(alertmanager.active())
    alertmanager.kill()
    alertmanager.start()
    until("it shows it again", lambda: started_at(alertmanager.active()) == before)


def test_a_new_process_knows_what_the_last_one_has_sent(
    writer: Writer, alertmanager: Alertmanager, to_alertmanager: Callable[[], Delivery]
) -> None:
    first = to_alertmanager()
    writer.write(alert(1), *episode(2, "device-2"), alert(3, device="küche/1"))
    until("all was sent", lambda: first.counters.delivered == 4)
    first.stop()
    alertmanager.kill()
    alertmanager.start()
    second = to_alertmanager()
    until("it shows them again", lambda: set(alertmanager.active()) == {alert(1).id, alert(3, device="küche/1").id})
    assert second.counters.delivered == 0
    writer.write(alert(1, State.RESOLVED))
    until("it is over", lambda: set(alertmanager.active()) == {alert(3, device="küche/1").id})


def test_a_member_of_a_cluster_that_is_away_does_not_keep_alerts_from_the_others(
    kafka: Kafka, writer: Writer, alertmanager: Alertmanager, started: Callable[[Delivery], Delivery]
) -> None:
    nobody = Receiver().url
    wanted = config_sinks.Alertmanager((nobody, alertmanager.url))
    away, there = (started(each) for each in sinks.to_alertmanager(wanted, (kafka.server,)))
    writer.write(*episode(1), alert(2))
    until("it shows it", lambda: set(alertmanager.active()) == {alert(2).id})
    until("the other one is tried", lambda: away.counters.retries > 0)
    assert there.counters.retries == 0


# --- MQTT


def test_whoever_subscribes_later_gets_the_last_alert(
    writer: Writer, mosquitto: Mosquitto, to_mqtt: Callable[..., Delivery]
) -> None:
    delivery = to_mqtt()
    writer.write(*all_episodes())
    until("all was sent", lambda: delivery.counters.delivered == len(all_episodes()))
    panel = Subscriber(mosquitto, PANEL, f"{ALERTS}/#")
    until("one of each device has come", lambda: len(panel.messages) == len(DEVICES))
    panel.close()
    assert all(message.retain for message in panel.messages)
    assert {message.topic: Alert.from_json(message.payload) for message in panel.messages} == {
        f"alerts/{device.replace('/', '%2F')}": alert(EPISODES - 1, State.RESOLVED, device) for device in DEVICES
    }


def test_nothing_is_missed_while_mosquitto_is_away(
    writer: Writer, mosquitto: Mosquitto, to_mqtt: Callable[..., Delivery]
) -> None:
    panel = Subscriber(mosquitto, PANEL, f"{ALERTS}/#")
    delivery = to_mqtt()
    writer.write(alert(0))
    until("it was sent", lambda: delivery.counters.delivered == 1)
    mosquitto.kill()
    for number in range(1, EPISODES):
        writer.write(alert(number))
    until("it was tried", lambda: delivery.counters.retries >= 2)
    panel.close()
    mosquitto.start()
    panel = Subscriber(mosquitto, PANEL, f"{ALERTS}/#")
    until("all was sent", lambda: delivery.counters.delivered == EPISODES)
    until(
        "the last one has come", lambda: panel.messages and alert(EPISODES - 1).to_json() == panel.messages[-1].payload
    )
    panel.close()
    live = [message.payload for message in panel.messages if not message.retain]
    assert live == [alert(number).to_json() for number in range(EPISODES)][-len(live) :]
    assert len(live) >= EPISODES - 2  # but one that was retained and one that was under way


def test_an_acl_that_refuses_is_told_and_nothing_is_lost(
    writer: Writer, mosquitto: Mosquitto, to_mqtt: Callable[..., Delivery], caplog: pytest.LogCaptureFixture
) -> None:
    panel = Subscriber(mosquitto, PANEL, f"{ALERTS}/#")
    delivery = to_mqtt(STRANGER)
    writer.write(*episode(1))
    sentence = "`stranger` may not write to alerts/device-1; let the server's ACL allow it"
    until("it is told", lambda: sentence in caplog.text)
    until("it is tried", lambda: delivery.counters.retries > 2)
    assert caplog.text.count(sentence) == 1
    mosquitto.allow(f"user {STRANGER}\ntopic write {ALERTS}/#\n")
    until("both have come", lambda: len(panel.messages) == 2)
    panel.close()
    assert [Alert.from_json(message.payload) for message in panel.messages] == episode(1)
    assert delivery.counters.refused == 0


def test_a_wrong_password_is_told_once(
    publisher: Callable[..., Publisher], caplog: pytest.LogCaptureFixture, mosquitto: Mosquitto
) -> None:
    refused = publisher(password="wrong")  # noqa: S106 - it is of the test
    sentence = "let the server know the user `raspi-kafka-alerting` with the password of mqtt.password_file"
    until("it was tried thrice", lambda: mosquitto.tail().count("not authorised") >= 3)
    assert caplog.text.count(sentence) == 1
    assert not refused.connected
