"""Settings that all clients of librdkafka share."""

from __future__ import annotations

import ipaddress
import logging
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError

if TYPE_CHECKING:
    from collections import Counter

log = logging.getLogger(__name__)

# Beside common(), where a broker is to be found again at once, whatever the tries cost: while it starts, a second of
# waiting would be a second by which all alerts of what waited come late.
HURRIED = {"reconnect.backoff.max.ms": 100}
# Of a broker alone: if it is true of all of them, another error says so.
OF_ONE_BROKER = (KafkaError._TRANSPORT, KafkaError._RESOLVE)


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


class Outage:
    """Whether Kafka is away, which is told once, and not with each try to connect.

    :param errors: is counted up, by the name of each error.
    :param spared: what nobody has to fear of it, for the log.
    :ivar problem: why it is away; "" if it is not.
    """

    def __init__(self, errors: Counter[str], spared: str) -> None:
        self._errors = errors
        self._spared = spared
        self.problem = ""

    def error(self, error: KafkaError) -> bool:
        """Take what a client tells; tell whether Kafka is away since then."""
        self._errors[error.name()] += 1
        if self.problem or error.code() in OF_ONE_BROKER:  # the others may do
            return False
        self.problem = f"Kafka: {error.str()}"
        log.error("%s; %s", self.problem, self._spared)
        return True

    def over(self) -> bool:
        """Take it that Kafka answers; tell whether it was away."""
        was, self.problem = self.problem, ""
        return bool(was)


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
