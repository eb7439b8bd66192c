"""What goes outside, and what the answers mean."""

from __future__ import annotations

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode
from raspi_kafka import mqtt_publisher as publisher
from raspi_kafka.alert import alertmanager, mqtt_sink, webhook
from raspi_kafka.alert.alert import State
from raspi_kafka.alert.poster import judge, told
from raspi_kafka.errors import RefusedError, UnreachableError

from tests.unit.edge.alerts import alert

NOW_MS = 1_760_000_060_000
GOOD_UNTIL_MS = NOW_MS + 240_000


def test_alertmanager_is_told_what_began_and_until_when_it_is_good() -> None:
    assert alertmanager.said(alert(), NOW_MS, GOOD_UNTIL_MS) == {
        "labels": {"alertname": "hot", "device": "küche 1", "severity": "warning", "source": "raspi-kafka"},
        "annotations": {"summary": "küche 1 is at 81.5 °C", "id": "hot/küche 1/telemetry-2-7"},
        "startsAt": "2025-10-09T08:53:20.000+00:00",
        "endsAt": "2025-10-09T08:58:20.000+00:00",
    }


def test_alertmanager_is_told_when_it_ended() -> None:
    said = alertmanager.said(alert(State.RESOLVED), NOW_MS, GOOD_UNTIL_MS)
    assert (said["startsAt"], said["endsAt"]) == ("2025-10-09T08:53:20.000+00:00", "2025-10-09T08:53:50.500+00:00")


@pytest.mark.parametrize("state", State)
def test_no_clock_that_is_ahead_makes_an_alert_end_before_it_starts_or_in_the_future(state: State) -> None:
    ahead = alert(state, since_ms=NOW_MS + 50_000, decided_ms=NOW_MS + 20_000)
    said = alertmanager.said(ahead, NOW_MS, GOOD_UNTIL_MS)
    assert said["startsAt"] == alertmanager.rfc3339(NOW_MS)
    assert said["endsAt"] == alertmanager.rfc3339(NOW_MS if state is State.RESOLVED else GOOD_UNTIL_MS)


def test_each_alertmanager_has_a_name_of_its_own_that_a_group_may_have() -> None:
    urls = ("http://pi1.lan:9093", "https://pi2.lan:9093/prefix", "http://[fe80::1]:9093")
    assert [alertmanager.Alertmanager(url, None).name for url in urls] == [
        "alertmanager-pi1.lan-9093",
        "alertmanager-pi2.lan-9093-prefix",
        "alertmanager-fe80-1-9093",
    ]


def test_a_repetition_has_the_same_key_and_the_end_another_one() -> None:
    assert webhook.key(alert()) == webhook.key(alert(summary="other"))
    assert webhook.key(alert()) == "hot/k%C3%BCche%201/telemetry-2-7/FIRING"
    assert webhook.key(alert(State.RESOLVED)) != webhook.key(alert())


def test_no_device_can_add_a_header() -> None:
    key = webhook.key(alert(device="a\r\nHost: b"))
    assert key.isascii()
    assert key.isprintable()


@pytest.mark.parametrize(
    ("device", "topic"),
    [
        ("device-001", "alerts/device-001"),
        ("küche 1", "alerts/küche 1"),
        ("a/b+c#d\0e", "alerts/a%2Fb%2Bc%23d%00e"),
        ("a%2Fb", "alerts/a%252Fb"),
    ],
)
def test_each_device_has_a_legal_topic_of_its_own(device: str, topic: str) -> None:
    assert mqtt_sink.topic(device) == topic


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_an_alert_is_taken(status: int) -> None:
    judge(status, "fine")


@pytest.mark.parametrize("status", [400, 402, 405, 409, 410, 413, 415, 422])
def test_an_alert_that_is_refused_is_not_sent_again(status: int) -> None:
    with pytest.raises(RefusedError, match=r"^no$"):
        judge(status, "no")


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (301, "name the URL to which it redirects"),
        (401, "password_file, or token_file"),
        (403, "with the right to do this"),
        (404, "whether the URL is right"),
        (407, "proxy"),
        (408, r"no$"),
        (425, r"no$"),
        (429, r"no$"),
        (500, r"no$"),
        (503, r"no$"),
    ],
)
def test_what_says_nothing_of_the_alert_is_no_reason_to_lose_it(status: int, advice: str) -> None:
    with pytest.raises(UnreachableError, match=advice):
        judge(status, "no")


def test_an_answer_is_told_on_one_short_line() -> None:
    assert told(b"a\n b\xff" + b"x" * 10_000).startswith("a b\ufffdx")
    assert len(told(b"x" * 10_000)) == 200


@pytest.mark.parametrize("name", ["Bad user name or password", "Not authorized"])
def test_a_refused_login_is_told_with_what_to_do(name: str) -> None:
    said = publisher.explained(ReasonCode(PacketTypes.CONNACK, name), "alerting")
    assert said == f"{name}; let the server know the user `alerting` with the password of mqtt.password_file"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Unspecified error", "the connection broke"),
        ("Session taken over", "Session taken over; let no other client be `alerting`"),
        ("Server shutting down", "Server shutting down"),
    ],
)
def test_the_end_of_a_connection_is_explained(name: str, said: str) -> None:
    assert publisher.explained(ReasonCode(PacketTypes.DISCONNECT, name), "alerting") == said
