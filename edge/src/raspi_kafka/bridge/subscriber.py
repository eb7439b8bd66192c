"""Stays connected and subscribed to the MQTT server, in one session that outlives connections and processes."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING, Protocol

from .. import mqtt_wire
from ..mqtt_wire import Connack, reason
from .connection import Connection, Handler
from .counters import DROPPED, STORED, SYS
from .packets import Login
from .session import Known, SessionFile

if TYPE_CHECKING:
    from .config import Mqtt
    from .counters import Counters

log = logging.getLogger(__name__)

KEEP_ALIVE_S = 30
SECONDS_TO_CONNECT = 10
SECONDS_TO_DISCONNECT = 2
# Above what a bridge with a linger of 25 ms has under way at 50,000 messages a second.
RECEIVE_MAXIMUM = 4000
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 10.0
# A connection that lasted so long was no failed try.
LASTED_S = 10.0
# What the server tells of itself is no part of the data.
MOSQUITTO_TOPICS = (SYS + DROPPED, SYS + STORED)


class MqttRefusedError(Exception):
    """The server is there, but will not do what the bridge needs."""


class Owner(Handler, Protocol):
    """Whom the subscriber tells what happens."""

    def ready(self) -> None:
        """The session has all filters."""

    def resumed(self) -> None:
        """What the session had under way when the last connection ended has been sent again."""

    def lost(self, why: str) -> None:
        """The connection is over, or could not be made."""


class Subscriber:
    """Connects again and again until it is cancelled."""

    def __init__(
        self, mqtt: Mqtt, filters: tuple[str, ...], session: SessionFile, counters: Counters, owner: Owner
    ) -> None:
        self._mqtt = mqtt
        self._filters = filters
        self._session = session
        self._counters = counters
        self._owner = owner

    async def run(self) -> None:
        """Keep connected.

        :raises OSError: what is known of the session can't be kept.
        """
        pause_s, first = FIRST_PAUSE_S, True
        while True:
            if not first:
                self._counters.reconnects += 1
            began = asyncio.get_running_loop().time()
            why = await self._connect()
            self._owner.lost(why)
            first = False
            if asyncio.get_running_loop().time() - began > LASTED_S:
                pause_s = FIRST_PAUSE_S
            # Two bridges with one client id must not throw each other out in step.
            await asyncio.sleep(pause_s * random.uniform(0.5, 1))  # noqa: S311 - no secret
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _connect(self) -> str:
        """Be connected for as long as it lasts; return why it ended."""
        mqtt = self._mqtt
        opening = asyncio.get_running_loop().create_connection(self._opened, mqtt.host, mqtt.port)
        try:
            _transport, connection = await asyncio.wait_for(opening, SECONDS_TO_CONNECT)
        except (OSError, asyncio.TimeoutError) as wrong:
            return f"no MQTT server at {mqtt.host}:{mqtt.port}: {wrong or 'no answer'}"
        try:
            await self._use(connection)
        except (MqttRefusedError, asyncio.TimeoutError) as wrong:
            connection.abort(str(wrong))
        except asyncio.CancelledError:
            connection.disconnect()
            await asyncio.wait({connection.closed}, timeout=SECONDS_TO_DISCONNECT)
            connection.abort("the server did not close it")
            raise
        return await connection.closed

    def _opened(self) -> Connection:
        mqtt = self._mqtt
        times = (KEEP_ALIVE_S, mqtt.session_expiry_s)
        login = Login(mqtt.client_id, mqtt.username, mqtt.password, *times, RECEIVE_MAXIMUM)
        return Connection(login, self._owner)

    async def _use(self, connection: Connection) -> None:
        """Take the session up; return when the connection is closed.

        :raises MqttRefusedError: the server does not do what is needed.
        """
        connack = await connection.connected(SECONDS_TO_CONNECT)
        if connack is None:
            return
        self._check(connack)
        interval = connack.properties.get(mqtt_wire.SERVER_KEEP_ALIVE, KEEP_ALIVE_S)
        connection.keep_alive(float(interval))  # type: ignore[arg-type]
        known = self._session.read()
        if known and known.client_id != self._mqtt.client_id:
            known = None
        self._tell(connack.session_present, known)
        wanted = frozenset(self._filters)
        stale = known.filters - wanted if known else frozenset()
        granted_before = known.subscribed if known and connack.session_present else frozenset()
        # Written before it is asked for: a filter that nobody remembers could never be removed.
        self._session.write(Known(self._mqtt.client_id, wanted | stale, granted_before))
        granted = connection.subscribe(self._filters)
        removed = connection.unsubscribe(sorted(stale)) if stale else None
        connection.subscribe(MOSQUITTO_TOPICS, "at_most_once")
        if wanted <= granted_before:
            # The answer comes behind what the session holds, which is not read on while Kafka takes nothing.
            self._owner.ready()
        if not await self._answered(granted, connection):
            return
        self._check_granted(granted.result())
        self._session.write(Known(self._mqtt.client_id, wanted | stale, wanted))
        self._owner.ready()
        self._owner.resumed()
        if removed and await self._answered(removed, connection):
            log.info("unsubscribed from %s, which the configuration has no more", ", ".join(sorted(stale)))
            self._session.write(Known(self._mqtt.client_id, wanted, wanted))
        await asyncio.wait({connection.closed})

    async def _answered(self, answer: asyncio.Future[bytes], connection: Connection) -> bool:
        await asyncio.wait({answer, connection.closed}, return_when=asyncio.FIRST_COMPLETED)
        return answer.done() and not answer.cancelled()

    def _check(self, connack: Connack) -> None:
        mqtt = self._mqtt
        if connack.reason:
            raise MqttRefusedError(refusal(connack.reason, mqtt))
        if connack.properties.get(mqtt_wire.MAXIMUM_QOS, 1) == 0:
            raise MqttRefusedError("the MQTT server offers QoS 0 alone, which acknowledges nothing; allow QoS 1 there")
        expiry = connack.properties.get(mqtt_wire.SESSION_EXPIRY, mqtt.session_expiry_s)
        if expiry != mqtt.session_expiry_s:
            log.warning(
                "the MQTT server keeps the session %s s without the bridge, not the %s s of mqtt.session_expiry_s: "
                "after that, what devices have sent is lost; raise the server's limit",
                *(expiry, mqtt.session_expiry_s),
            )

    def _check_granted(self, reasons: bytes) -> None:
        for each, code in zip(self._filters, reasons, strict=False):
            if code >= 0x80:
                raise MqttRefusedError(
                    f"the MQTT server refuses the subscription to {each}: {reason(code)}; "
                    f"let user {self._mqtt.username} read it (the server's ACL)"
                )
            if code == 0:
                raise MqttRefusedError(f"the MQTT server grants {each} with QoS 0 alone; allow QoS 1 there")

    def _tell(self, session_present: bool, known: Known | None) -> None:
        if session_present:
            log.info("connected to MQTT; the session is there")
        elif known:
            self._counters.session_lost += 1
            log.error(
                "the MQTT server has lost the session of %s: what devices sent while the bridge was away is lost; look "
                "whether the server's persistence, session expiry and clock are right",
                self._mqtt.client_id,
            )
        else:
            log.info("connected to MQTT; a new session begins")


def refusal(code: int, mqtt: Mqtt) -> str:
    """Return why CONNECT was refused and what to do; the first codes are those of servers before MQTT 5."""
    who = f"the MQTT server at {mqtt.host}:{mqtt.port} refuses user {mqtt.username}"
    if code in (0x01, 0x84):
        return f"{who}: it speaks no MQTT 5; use Mosquitto 2 or another server that does"
    if code in (0x04, 0x05, 0x86, 0x87):  # Mosquitto 2.0 says "not authorized" of a wrong password too
        return (
            f"{who}: wrong password, unknown user, or not authorized; give the server this user with the password of "
            f"mqtt.password_file, and let it have client id {mqtt.client_id}"
        )
    return f"{who}: {reason(code)}; look at its log"
