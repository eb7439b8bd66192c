"""Publishes to the MQTT server, and knows what the server has taken; what comes from there goes to an inbox."""

from __future__ import annotations

import contextlib
import itertools
import logging
import threading
import time
from concurrent.futures import CancelledError, Future, InvalidStateError
from concurrent.futures import TimeoutError as NoneCameError
from typing import TYPE_CHECKING, Any, NamedTuple

from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from tenacity import RetryError

from .back_off import until_it_works
from .errors import RefusedError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from paho.mqtt.client import MQTTMessage
    from paho.mqtt.reasoncodes import ReasonCode

    from .mqtt_user import Mqtt

log = logging.getLogger(__name__)

KEEP_ALIVE_S = 20
SECONDS_TO_ACK = 10.0
# A connection that ends sooner is a reason to wait before the next one: another client with this name takes it over,
# or the server is about to end.
STEADY_S = 10.0
ENDS = "this process ends"
# Of MQTT 5, 2.4.
NO_MATCHING_SUBSCRIBERS = 0x10
UNSPECIFIED, BAD_PASSWORD, NOT_AUTHORIZED, TAKEN_OVER = 0x80, 0x86, 0x87, 0x8E
# What no second try makes good: the topic's name, the size, the payload.
FOR_GOOD = frozenset({0x90, 0x95, 0x99})


class Inbox(NamedTuple):
    """What a program wants to be sent, with QoS 1, also of the time when it was away.

    :ivar put: is given each message and the connection by which it came, in paho's thread. The server sends it again
        by the next one until ack() was called for it.
    :ivar session_s: for so long the server keeps what is sent while the program is away (MQTT 5, 3.1.2.11.2).
    """

    topic: str
    put: Callable[[Connection, int, bytes], None]
    session_s: int


class LostError(Exception):
    """A connection did not come about, or did not last."""


class Connection:
    """One connection: with it ends all that was not acknowledged, so nothing of it is ever sent late.

    paho-mqtt sends what a lost connection has left when it connects again, so each connection has a client of its own.

    :ivar accepted: whether the server took it.
    :ivar closed: set at its end.
    :ivar why: it ended, or was refused.
    """

    def __init__(self, mqtt: Mqtt, inbox: Inbox | None = None) -> None:
        self._mqtt = mqtt
        self._inbox = inbox
        self._acks: dict[int, Future[ReasonCode]] = {}
        self.accepted = False
        self.closed = threading.Event()
        self.why = ""
        # The role has Mosquitto make the user name the client id, whatever a client says.
        options: dict[str, Any] = {"protocol": MQTTv5, "reconnect_on_failure": False, "manual_ack": True}
        self._client = Client(CallbackAPIVersion.VERSION2, mqtt.username, **options)
        self._client.username_pw_set(mqtt.username, mqtt.password)
        self._client.on_connect = self._on_connect
        self._client.on_publish = self._on_publish
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message

    @property
    def open(self) -> bool:
        """Whether the server takes messages."""
        return self.accepted and not self.closed.is_set()

    def begin(self) -> None:
        """Connect; the answer comes later.

        :raises OSError: there is no way to the server.
        """
        session = Properties(PacketTypes.CONNECT)
        session.SessionExpiryInterval = self._inbox.session_s if self._inbox else 0
        clean = self._inbox is None
        self._client.connect(self._mqtt.host, self._mqtt.port, KEEP_ALIVE_S, clean_start=clean, properties=session)
        self._client.loop_start()

    def ack(self, mid: int) -> None:
        """Let the server forget a message that it has sent; of a connection that has ended it sends it again."""
        self._client.ack(mid, 1)

    def publish(self, topic: str, payload: bytes, *, retain: bool, expiry_s: int | None) -> ReasonCode:
        """Return the answer to a message with QoS 1.

        :raises UnreachableError: none came.
        """
        sent = self._client.publish(topic, payload, qos=1, retain=retain, properties=expiring(expiry_s))
        ack = self._acks.setdefault(sent.mid, Future())
        try:
            if sent.rc != MQTTErrorCode.MQTT_ERR_SUCCESS or self.closed.is_set():
                raise UnreachableError(f"the connection to the MQTT server has ended: {self.why}")
            return ack.result(SECONDS_TO_ACK)
        except CancelledError:
            raise UnreachableError(f"the connection to the MQTT server has ended: {self.why}") from None
        except NoneCameError:
            self.close(f"it has not acknowledged a message within {SECONDS_TO_ACK:.0f} s")
            raise UnreachableError(f"the MQTT server is given up: {self.why}") from None
        finally:
            self._acks.pop(sent.mid, None)

    def close(self, why: str) -> None:
        """End it from this side."""
        self._end(why)
        self._client.disconnect()

    def _end(self, why: str) -> None:
        self.why = self.why or why
        self.closed.set()
        for ack in list(self._acks.values()):
            ack.cancel()

    # --- what paho's thread calls

    def _on_connect(self, _client: Client, _data: Any, _flags: Any, reason: ReasonCode, _more: Any) -> None:
        if reason.is_failure:
            self.why = explained(reason, self._mqtt.username)
            return
        if self._inbox:
            self._client.subscribe(self._inbox.topic, 1)
        self.accepted = True
        log.info("publishing to the MQTT server %s as %s", self._mqtt.address, self._mqtt.username)

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        if self._inbox:
            self._inbox.put(self, message.mid, message.payload)

    def _on_publish(self, _client: Client, _data: Any, mid: int, reason: ReasonCode, _more: Any) -> None:
        with contextlib.suppress(InvalidStateError):  # nobody waits for it any more
            self._acks.setdefault(mid, Future()).set_result(reason)

    def _on_disconnect(self, _client: Client, _data: Any, _flags: Any, reason: ReasonCode, _more: Any) -> None:
        self._end(explained(reason, self._mqtt.username))


def expiring(expiry_s: int | None) -> Properties | None:
    """Return the properties of a message that the server gives to nobody after so many seconds (MQTT 5, 3.3.2.3.3)."""
    if expiry_s is None:
        return None
    properties = Properties(PacketTypes.PUBLISH)
    properties.MessageExpiryInterval = expiry_s
    return properties


def explained(reason: ReasonCode, username: str) -> str:
    """Return why a connection is refused or has ended, and what to do."""
    if reason.value == UNSPECIFIED:  # paho's word for it too
        return "the connection broke"
    if reason.value == TAKEN_OVER:
        return f"{reason}; let no other client be `{username}`"
    if reason.value in (BAD_PASSWORD, NOT_AUTHORIZED):
        return f"{reason}; let the server know the user `{username}` with the password of mqtt.password_file"
    return str(reason)


class Publisher:
    """Stays connected in a thread of its own; in a with statement, until its end.

    :param servers: that take the same; when one is lost, or does not answer, it is the turn of the next.
    :param inbox: what it wants to be sent; None wants nothing.
    """

    def __init__(self, *servers: Mqtt, inbox: Inbox | None = None) -> None:
        self._inbox = inbox
        self._several = len(servers) > 1
        self._turns = itertools.cycle(servers)
        self._mqtt = servers[0]
        self._connection: Connection | None = None
        self._ended = threading.Event()
        self._told = ""
        self._thread = threading.Thread(target=self._run, name="mqtt-publisher", daemon=True)

    @property
    def connected(self) -> bool:
        """Whether the server takes messages."""
        return self.connection is not None

    @property
    def connection(self) -> Connection | None:
        """The connection that takes messages: with another one the server may have lost what it had taken before."""
        connection = self._connection
        return connection if connection is not None and connection.open else None

    def start(self) -> None:
        """Connect, and again whenever a connection is lost."""
        self._thread.start()

    def stop(self) -> None:
        """End the connection in good order."""
        self._ended.set()
        if self._connection:
            self._connection.close(ENDS)
        self._thread.join()

    def __enter__(self) -> Publisher:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    @property
    def server(self) -> str:
        """Where it is connected, or tries to be."""
        return self._mqtt.address

    def next_server(self, why: str) -> None:
        """Go to the next server, if there are several; for a program of which this one takes nothing."""
        connection = self.connection
        if connection and self._several:
            connection.close(why)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, expiry_s: int | None = None) -> ReasonCode:
        """Return what the server says once it has taken a message; nothing is kept for later.

        :param expiry_s: seconds after which the server gives it to nobody any more.
        :raises UnreachableError: it has not.
        :raises RefusedError: it never will.
        """
        connection = self.connection
        if connection is None:
            raise UnreachableError(f"the MQTT server {self._mqtt.address} is not connected")
        reason = connection.publish(topic, payload, retain=retain, expiry_s=expiry_s)
        if reason.value in FOR_GOOD:
            raise RefusedError(f"the MQTT server refuses a message to {topic}: {reason}")
        if reason.value == NOT_AUTHORIZED:
            raise UnreachableError(f"`{self._mqtt.username}` may not write to {topic}; let the server's ACL allow it")
        if reason.is_failure:
            raise UnreachableError(f"the MQTT server does not take a message to {topic}: {reason}")
        return reason

    def _run(self) -> None:
        with contextlib.suppress(RetryError):
            while not self._ended.is_set():
                until_it_works(self._ended, LostError, self._tell)(self._hold)

    def _hold(self) -> None:
        """Connect, and return when a connection that has lasted is lost.

        :raises LostError: it did not come about, or did not last.
        """
        self._mqtt = next(self._turns)
        self._connection = connection = Connection(self._mqtt, self._inbox)
        began = time.monotonic()
        try:
            connection.begin()
        except OSError as wrong:
            raise LostError(f"it can't be reached: {wrong}") from wrong
        if self._ended.is_set():  # stop() may have seen the connection before this one
            connection.close(ENDS)
        connection.closed.wait()
        if self._ended.is_set():
            return
        if not connection.accepted or time.monotonic() - began < STEADY_S:
            raise LostError(connection.why)
        self._told = ""
        log.warning("the MQTT server %s is lost: %s", self._mqtt.address, connection.why)

    def _tell(self, lost: Exception) -> None:
        if str(lost) != self._told:
            self._told = str(lost)
            log.error("no connection to the MQTT server %s: %s", self._mqtt.address, lost)
