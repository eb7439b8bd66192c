"""What alert.yml may say of hosts and of where alerts go, and how it is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from raspi_kafka import mqtt_user
from raspi_kafka.alert import config, config_sinks
from raspi_kafka.settings import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def secret(tmp_path: Path) -> str:
    path = tmp_path / "secret"
    path.write_text("pässword:1\nanother line\n")
    return str(path)


@pytest.fixture
def token(tmp_path: Path) -> str:
    path = tmp_path / "token"
    path.write_text("abc.def\n")
    return str(path)


def test_mqtt_has_a_default_for_where_it_is(secret: str) -> None:
    found = mqtt_user.mqtt({"username": "alerting", "password_file": secret}, "mqtt")
    assert (found.address, found.username, found.password) == ("127.0.0.1:1883", "alerting", "pässword:1")


def test_members_of_a_cluster_share_what_they_are_told_by(token: str) -> None:
    said = {"urls": ["http://pi1:9093", "https://pi2/prefix/"], "token_file": token}
    found = config_sinks.alertmanager(said, "alertmanager")
    assert (found.urls, found.authorization) == (("http://pi1:9093", "https://pi2/prefix"), "Bearer abc.def")


def test_a_webhook_has_a_password(secret: str) -> None:
    said = {"url": "https://h/a?b=c", "username": "me", "password_file": secret}
    found = config_sinks.webhook(said, "webhook")
    assert (found.url, found.authorization) == ("https://h/a?b=c", "Basic bWU6cMOkc3N3b3JkOjE=")


def test_nothing_is_told_to_whom_nothing_is_said() -> None:
    assert config_sinks.webhook({"url": "http://h"}, "webhook").authorization is None


def test_secrets_are_in_no_text(secret: str) -> None:
    said = {"url": "https://h/secret-path", "username": "me", "password_file": secret}
    texts = [
        repr(config_sinks.webhook(said, "w")),
        repr(config_sinks.alertmanager({"urls": ["http://h"], "username": "me", "password_file": secret}, "a")),
        repr(mqtt_user.mqtt({"username": "alerting", "password_file": secret}, "m")),
    ]
    for each in ("secret-path", "pässword", "bWU6"):
        assert not [text for text in texts if each in text]


def test_a_host_is_the_only_gateway_unless_others_are_named() -> None:
    assert config.gateways_of(None, "pi") == ("pi",)
    assert config.gateways_of(["one", "pi"], "pi") == ("one", "pi")
    with pytest.raises(ConfigError, match="gateways: pi, which is this host's instance, is not among them"):
        config.gateways_of(["one"], "pi")


def refused(parse: Callable[[Any, str], Any], said: Any, place: str, why: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        parse(said, "it")
    assert wrong.value.place == place
    assert why in wrong.value.reason


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "it is empty"),
        (1, "not a text"),
        ("pi1:9093", "no URL of a server"),
        ("ftp://h", "no URL of a server"),
        ("http://", "no URL of a server"),
        ("http://:9093", "no URL of a server"),
        ("http://h:99999", "no URL: Port out of range"),
        ("http://h:x", "no URL: Port could not be cast"),
        ("http://[::1", "no URL: Invalid IPv6 URL"),
        ("http://me:secret@h", "it has a password in it"),
        ("http://h/#a", "a character that no request may have"),
        ("http://h/ü", "a character that no request may have"),
        ("http://h/a b", "a character that no request may have"),
        ("http://h/\x01", "a character that no request may have"),
    ],
)
def test_a_url_is_refused(url: Any, why: str) -> None:
    refused(config_sinks.webhook, {"url": url}, "it.url", why)
    refused(config_sinks.alertmanager, {"urls": ["http://fine", url]}, "it.urls[1]", why)


@pytest.mark.parametrize(
    ("urls", "place", "why"),
    [
        ([], "it.urls", "name one at least"),
        (["http://a", "http://a/"], "it.urls[1]", "stands there twice"),
        (["http://a/api/v2/alerts"], "it.urls[0]", "more than the beginning"),
        (["http://a/?b"], "it.urls[0]", "more than the beginning"),
    ],
)
def test_alertmanagers_are_refused(urls: list[str], place: str, why: str) -> None:
    refused(config_sinks.alertmanager, {"urls": urls}, place, why)


@pytest.mark.parametrize(
    ("more", "place", "why"),
    [
        ({"username": "me"}, "it.password_file", "belong together"),
        ({"password_file": "SECRET"}, "it.username", "belong together"),
        ({"username": "a:b", "password_file": "SECRET"}, "it.username", "has a colon"),
        ({"token_file": "TOKEN", "username": "me"}, "it.token_file", "leave one out"),
        ({"token_file": "SECRET"}, "it.token_file", "ASCII alone"),
        ({"token_file": "/nowhere/it"}, "it.token_file", "No such file"),
        ({"tokenfile": "x"}, "it.tokenfile", "did you mean `token_file`?"),
    ],
)
def test_an_authorization_is_refused(more: dict[str, str], place: str, why: str, secret: str, token: str) -> None:
    files = {"SECRET": secret, "TOKEN": token}
    more = {name: files.get(value, value) for name, value in more.items()}
    refused(config_sinks.webhook, {"url": "http://h", **more}, place, why)
    refused(config_sinks.alertmanager, {"urls": ["http://h"], **more}, place, why)


@pytest.mark.parametrize("username", ["a/b", "+", "#"])
def test_a_user_that_can_be_no_level_is_refused(username: str, secret: str) -> None:
    said = {"username": username, "password_file": secret}
    refused(mqtt_user.mqtt, said, "it.username", "level of an MQTT topic")
