"""Settings that all clients of librdkafka share."""

from __future__ import annotations

import ipaddress
import logging
from typing import Any


def common(servers: tuple[str, ...], client_id: str) -> dict[str, Any]:
    """Return the settings of a client.

    :param servers: addresses of brokers, each as host:port.
    """
    return {
        "bootstrap.servers": ",".join(servers),
        "broker.address.family": family(servers),
        "client.id": client_id,
        # A broker that is back is found within a second, not ten.
        "reconnect.backoff.max.ms": 1000,
        "socket.keepalive.enable": True,
        # Brokers end idle connections after 10 min, which is nothing to tell.
        "log.connection.close": False,
    }


def hurried(servers: tuple[str, ...], client_id: str) -> dict[str, Any]:
    """Return the settings of a client whose broker is to be found again at once, whatever the tries cost.

    While a broker starts, a second of waiting would be a second by which all alerts of what waited come late.
    """
    return {**common(servers, client_id), "reconnect.backoff.max.ms": 100}


def family(servers: tuple[str, ...]) -> str:
    """Return the address family to use: with IPv4 addresses alone, a name that a broker advertises means IPv4 too.

    `localhost` is ::1 first on Debian, where a broker that listens on 127.0.0.1 refuses.
    """
    versions = {version(each.rpartition(":")[0].strip("[]")) for each in servers}
    return "v4" if versions == {4} else "any"


def version(host: str) -> int:
    """Return the version of an IP address; 0 for a name."""
    try:
        return ipaddress.ip_address(host).version
    except ValueError:
        return 0


def logger() -> logging.Logger:
    """Return where a client logs; the lines come with its poll()."""
    found = logging.getLogger("librdkafka")
    found.addFilter(news)  # one that is there already is not added again
    return found


def news(line: logging.LogRecord) -> bool:
    """Tell whether a line of librdkafka is news.

    A failed connection is told to on_error too, and a producer id is asked for again by itself. That the guarantee
    against gaps is experimental, and that it has ended a producer, is known here.
    """
    text = line.getMessage()
    return not text.startswith(("FAIL", "GETPID")) and "gap-less" not in text.lower() and "gapless" not in text
