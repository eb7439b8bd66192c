"""What alert.yml says of where alerts go."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from .. import settings
from ..settings import REQUIRED, ConfigError, Key, section


@dataclass(frozen=True)
class Alertmanager:
    """All members of a cluster, or the only one.

    :ivar urls: each without the path of the API.
    :ivar authorization: the header; None without one.
    """

    urls: tuple[str, ...]
    authorization: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Webhook:
    """A program that takes alerts by HTTP.

    :ivar authorization: the header; None without one.
    """

    url: str = field(repr=False)  # it may hold a secret
    authorization: str | None = field(default=None, repr=False)


AUTHORIZATION = {"username": Key(str, None), "password_file": Key(str, None), "token_file": Key(str, None)}
ALERTMANAGER = {"urls": Key(list, REQUIRED), **AUTHORIZATION}
WEBHOOK = {"url": Key(str, REQUIRED), **AUTHORIZATION}


def alertmanager(said: Any, where: str) -> Alertmanager:
    """Return what a mapping says of Alertmanager.

    :raises ConfigError: it can't be followed.
    """
    values = section(said, ALERTMANAGER, where)
    if not values["urls"]:
        raise ConfigError(f"{where}.urls", "it is empty; name one at least, such as http://HOST:9093")
    urls: list[str] = []
    for number, each in enumerate(values["urls"]):
        place = f"{where}.urls[{number}]"
        found = url(each, place).rstrip("/")
        if urlsplit(found).query or "/api/" in found:
            raise ConfigError(place, f"`{each}` has more than the beginning; name it as its pages, http://HOST:9093")
        if found in urls:
            raise ConfigError(place, f"`{each}` stands there twice; name each member once")
        urls.append(found)
    return Alertmanager(tuple(urls), authorization(values, where))


def webhook(said: Any, where: str) -> Webhook:
    """Return what a mapping says of a webhook.

    :raises ConfigError: it can't be followed.
    """
    values = section(said, WEBHOOK, where)
    return Webhook(url(values["url"], f"{where}.url"), authorization(values, where))


def url(said: Any, place: str) -> str:
    """Return a URL to which alerts can be sent."""
    text = settings.typed(said, Key(str, REQUIRED), place)
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - it raises what is no port
    except ValueError as wrong:
        raise ConfigError(place, f"`{text}` is no URL: {wrong}; write http://HOST:PORT/PATH") from wrong
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(place, f"`{text}` is no URL of a server; write http:// or https:// and the host")
    if "@" in parts.netloc:
        raise ConfigError(place, "it has a password in it, which logs would show; use username and password_file")
    if parts.fragment or not text.isascii() or not text.isprintable() or " " in text:
        raise ConfigError(place, f"`{text}` has a character that no request may have; write it as %XX")
    return text


def authorization(values: dict[str, Any], where: str) -> str | None:
    """Return the header for a section with the keys of AUTHORIZATION (RFC 7617, RFC 6750)."""
    username, password_file, token_file = (values[name] for name in AUTHORIZATION)
    if token_file is not None:
        if username is not None or password_file is not None:
            raise ConfigError(f"{where}.token_file", "it stands beside a username or password_file; leave one out")
        token = settings.password(token_file, f"{where}.token_file")
        if not token.isascii() or not token.isprintable():
            raise ConfigError(f"{where}.token_file", f"{token_file} holds no token: a header takes ASCII alone")
        return f"Bearer {token}"
    if (username is None) is not (password_file is None):
        missing = "username" if username is None else "password_file"
        raise ConfigError(f"{where}.{missing}", "it is missing; a username and a password_file belong together")
    if username is None:
        return None
    if ":" in username:
        raise ConfigError(f"{where}.username", f"`{username}` has a colon, which HTTP takes for its end; use another")
    password = settings.password(password_file, f"{where}.password_file")
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
