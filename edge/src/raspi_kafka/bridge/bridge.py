"""The bridge: messages from MQTT to Kafka, and PUBACKs back once Kafka has them."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from functools import partial
from typing import TYPE_CHECKING

from .. import metrics, mqtt_wire, systemd
from . import packets, producer
from .counters import DROPPED, SYS, Counters
from .delivery import Delivery, ProducerFatalError
from .errors import ErrorClass, classify
from .metrics import BridgeCollector, Gauges
from .record import Record
from .routes import Router
from .session import SessionFile
from .stall import Health, Stall
from .subscriber import RECEIVE_MAXIMUM, Subscriber
from .window import Window

if TYPE_CHECKING:
    from confluent_kafka import KafkaError

    from ..mqtt_wire import Connack
    from .config import Config
    from .connection import Connection
    from .packets import Publish

log = logging.getLogger(__name__)

# Above these nothing is read; below half of them it goes on. A server before Mosquitto 2.0.13 sends more than the
# receive maximum (mosquitto#2306), so that alone bounds nothing.
MOST_RECORDS = RECEIVE_MAXIMUM
MOST_BYTES = 8 * 1024 * 1024
# Below this share of both, messages gather in the socket; above it there is a queue to work off.
FEW = 1 / 8
SECONDS_TO_FLUSH = 5.0
HOUSEKEEPING_S = 15.0
METADATA_S = 5.0
RECOVERY_POLL_S = 0.001
REST = "the next process begins with what is not acknowledged"
OF_MOSQUITTO = SYS.encode()
QOS = (("mqtt.qos", b"0"), ("mqtt.qos", b"1"))


class BridgeError(Exception):
    """Why the bridge can't go on; its successor can."""


class Bridge:
    """Owns all parts; each of its methods runs in the one thread of the loop."""

    delivery_class = Delivery

    def __init__(self, config: Config) -> None:
        self._config = config
        self._loop = asyncio.get_running_loop()
        self._end: asyncio.Future[None] = self._loop.create_future()
        self.counters = Counters()
        self._gather_s = gather_s(config.kafka.linger_ms)
        self._router = Router(config.topics)
        self._gateway = ("mqtt.gateway", config.instance.encode())
        self._window = Window()
        self._delivery = self._new_delivery()
        self._connection: Connection | None = None
        self._poll_timer: asyncio.TimerHandle | None = None
        self._poll_s = poll_interval_s(config.kafka.linger_ms)
        self._stall = Stall()
        self._mqtt_told = self._kafka_told = self._status = ""
        self._ready = False

    async def run(self) -> None:
        """Carry messages until SIGTERM or SIGINT.

        :raises BridgeError: the process has to be started anew.
        :raises OSError: the port of the metrics is taken, or the state directory can't be written.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._stop)
        metrics.serve(self._config.metrics, BridgeCollector(self.counters, self.gauges))
        filters = tuple(tree.filter for tree in self._config.topics)
        subscriber = Subscriber(self._config.mqtt, filters, SessionFile.of_service(), self.counters, self)
        tasks = [asyncio.ensure_future(each) for each in (subscriber.run(), self._housekeep(), self._live())]
        try:
            done, _pending = await asyncio.wait({self._end, *tasks}, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()
            await self._flush()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._delivery.close()

    def gauges(self) -> Gauges:
        """Return what holds at the moment."""
        oldest = self._window.oldest
        age = 0.0 if oldest is None else self._loop.time() - oldest
        return Gauges(len(self._window), age, self._delivery.in_flight, int(bool(self._delivery.held)))

    # --- what the subscriber tells

    def connack(self, connection: Connection, connack: Connack) -> None:
        self._connection = connection
        if not connack.session_present:
            self._window.forget()

    def publishes(self, publishes: list[Publish]) -> None:
        now = self._loop.time()
        received = ("mqtt.received", str(time.time_ns() // 1_000_000).encode())
        for publish in publishes:
            if not publish.packet_id and publish.topic.startswith(OF_MOSQUITTO):
                self._of_mosquitto(publish)
                continue
            self.counters.received += 1
            if publish.dup:
                self.counters.redelivered += 1
                if self._window.attach(publish):
                    self.counters.duplicates_suppressed += 1
                    continue
            self._take(publish, now, received)
        self._acknowledge()
        self._flow()
        self._gather()
        self._arm()

    def ready(self) -> None:
        if not self._ready:
            self._ready = True
            systemd.notify("READY=1")
        self._tell_mqtt("")

    def resumed(self) -> None:
        self._window.forget()

    def lost(self, why: str) -> None:
        self._connection = None
        self._window.disconnected()
        self._tell_mqtt(why)

    # --- from MQTT to Kafka

    def _take(self, publish: Publish, now: float, received: tuple[str, bytes]) -> None:
        route = self._router[publish.topic]
        headers = [route.header, QOS[publish.packet_id > 0], received, self._gateway]
        if publish.properties:
            headers += client_time(publish)
        record = Record(publish, route, headers, now)
        if publish.packet_id:
            self._window.add(record)
        if not route.target:
            self._delivery.send_dead_letter(
                record, "NO_FILTER", "no filter of the configuration matches the MQTT topic"
            )
        elif route.schema is not None and (misfit := route.schema(publish.payload)):
            self._delivery.send_dead_letter(record, "SCHEMA", misfit)
        else:
            self._delivery.send(record)

    def _of_mosquitto(self, publish: Publish) -> None:
        name = publish.topic.decode().removeprefix(SYS)
        try:
            count = float(publish.payload)
        except ValueError:
            log.warning("%s of the MQTT server is no number: %r", publish.topic.decode(), publish.payload[:40])
            return
        dropped = count - self.counters.mosquitto.get(name, count)
        if name == DROPPED and dropped > 0:
            log.critical(
                "the MQTT server has dropped %d messages that it had acknowledged, since a queue was full: let Kafka "
                "and the bridge go on, or have devices send less",
                dropped,
            )
        self.counters.mosquitto[name] = count

    # --- from Kafka to MQTT

    def _arm(self) -> None:
        """Look for delivery reports while there is something to come."""
        delivery = self._delivery
        if self._poll_timer is None and delivery.pending:
            # In a recovery, each record of a device waits for the report on the one before it.
            hurried = delivery.recovering and not delivery.held
            self._poll_timer = self._loop.call_later(RECOVERY_POLL_S if hurried else self._pause_s(), self._poll)

    def _poll(self) -> None:
        self._poll_timer = None
        try:
            landed = self._delivery.poll()
        except ProducerFatalError as fatal:
            self._give_up(f"the Kafka producer can't go on: {fatal}; {REST}")
            return
        if landed:
            self._acknowledge()
        self._tell_kafka(self._delivery.held, landed=landed)
        self._flow()
        self._arm()

    def _acknowledge(self) -> None:
        ready = self._window.release()
        if ready and self._connection:
            self.counters.acked += len(ready)
            self._connection.write(packets.pubacks(ready))

    def _flow(self) -> None:
        """Stop reading or go on, by what is under way."""
        connection = self._connection
        if connection is None:
            return
        load = self._load()
        held_up = self._delivery.recovering or self._end.done()
        if connection.reading:
            if load >= 1 or held_up:
                self.counters.pauses += 1
                connection.pause()
        elif load < 0.5 and not held_up:
            connection.resume()

    def _gather(self) -> None:
        """Let the next messages gather while there are few: so one look takes many of them."""
        if self._connection and self._gather_s and self._load() < FEW:
            self._connection.rest(self._gather_s)

    def _pause_s(self) -> float:
        """Return when to look for delivery reports: while messages gather, when the socket is looked at too."""
        return max(self._gather_s, self._poll_s) if self._load() < FEW else self._poll_s

    def _load(self) -> float:
        """Return how much of what may be under way is under way."""
        delivery, window = self._delivery, self._window
        records = max(window.waiting, delivery.pending)
        size = max(window.waiting_bytes, delivery.bytes)
        return max(records / MOST_RECORDS, size / MOST_BYTES)

    # --- beside the messages

    def _new_delivery(self) -> Delivery:
        kafka = self._config.kafka
        settings = (producer.settings(kafka, kafka.linger_ms - 1000 * self._gather_s), producer.single(kafka))
        batching, single = (partial(producer.make, each, self._kafka_error) for each in settings)
        return self.delivery_class(batching, single, self._config.dead_letter_topic, self.counters, self._loop.time)

    def _kafka_error(self, error: KafkaError) -> None:
        meaning = classify(error)
        self.counters.errors[meaning.value, error.name()] += 1
        if not self._kafka_told:  # each try to connect is an error of its own
            what = "is out of reach" if meaning is ErrorClass.TRANSIENT else "refuses the bridge"
            self._tell_kafka(f"Kafka {what}: {error.str()}", landed=False)

    def _tell_kafka(self, problem: str, *, landed: bool) -> None:
        """Log what keeps Kafka from taking records, once, and that it is over."""
        if problem == self._kafka_told or (not problem and not landed):
            return
        if problem:
            log.error("%s; messages wait in the MQTT server until it takes them", problem)
        else:
            log.info("Kafka takes records again")
        self._kafka_told = problem
        self._tell_status()

    def _tell_mqtt(self, problem: str) -> None:
        if problem and problem != self._mqtt_told:
            log.error("%s; trying again", problem)
        self._mqtt_told = problem
        self._tell_status()

    def _tell_status(self) -> None:
        problems = "; ".join(each for each in (self._mqtt_told, self._kafka_told) if each)
        status = problems or "Carrying messages from MQTT to Kafka"
        if status != self._status:
            self._status = status
            systemd.notify(f"STATUS={status}")

    async def _live(self) -> None:
        """Tell the watchdog of systemd that the loop runs."""
        interval_s = systemd.watchdog_interval_s()
        while interval_s:
            systemd.notify("WATCHDOG=1")
            await asyncio.sleep(interval_s)
        await self._loop.create_future()

    async def _housekeep(self) -> None:
        """Look now and then at what nothing else looks at.

        :raises BridgeError: records hang, and a new producer made no difference.
        """
        topics = {tree.topic for tree in self._config.topics} | {self._config.dead_letter_topic}
        while True:
            await asyncio.sleep(HOUSEKEEPING_S)
            self._poll_idle()
            if not self._stall.stands(self._mark()):
                continue
            ask = partial(self._delivery.health, topics, METADATA_S)
            health = await self._loop.run_in_executor(None, ask)
            if self._stall.stands(self._mark()) and self._stall.hangs(self._loop.time(), self._judged(health)):
                if self._delivery.recovering:
                    raise BridgeError(f"records do not reach Kafka although it is well; {REST}")
                log.warning("records do not reach Kafka although it is well; a new producer takes them")
                self._delivery.renew()

    def _mark(self) -> object:
        """Return what is another value once the record that waits for Kafka has landed; None if none does."""
        if not self._delivery.pending or self._delivery.held:
            return None
        first = self._window.first_to_land
        return ("landed", sum(self.counters.delivery_seconds.buckets)) if first is None else first.number

    def _judged(self, health: Health) -> Health:
        """Doubt that all is in sync where a broker is out of reach, or a new producer makes no difference.

        The broker that was asked may be the one that is cut off: it goes on telling what it knew last.
        """
        doubted = health is Health.IN_SYNC and (self._kafka_told or self._delivery.recovering)
        return Health.LED if doubted else health

    def _poll_idle(self) -> None:
        """Let librdkafka tell what it has to tell while there are no records."""
        if self._poll_timer is None:
            self._poll()

    def _stop(self) -> None:
        if not self._end.done():
            self._end.set_result(None)

    def _give_up(self, why: str) -> None:
        if not self._end.done():
            self._end.set_exception(BridgeError(why))

    async def _flush(self) -> None:
        """Acknowledge what lands within a few seconds; the rest comes again to the next process."""
        systemd.notify("STOPPING=1")
        self._flow()
        end = self._loop.time() + SECONDS_TO_FLUSH
        while self._delivery.pending and self._loop.time() < end:
            await asyncio.sleep(self._poll_s)
        log.info("stopped; %d messages are left to the next process", len(self._window))


def gather_s(linger_ms: int) -> float:
    """Return how much of the linger messages spend in the socket, where gathering them costs least.

    librdkafka gets the rest, for the batches of a queue that is worked off.
    """
    return min(0.8 * linger_ms, 20.0) / 1000


def poll_interval_s(linger_ms: int) -> float:
    """Return how often to look for delivery reports.

    Each look costs CPU, and delays a PUBACK by half of the interval on average.
    """
    return min(max(0.4 * linger_ms, 2.0), 10.0) / 1000


def client_time(publish: Publish) -> list[tuple[str, bytes]]:
    """Return the publisher's user property `time` as a record header, if there is one."""
    pairs = (publish.properties or {}).get(mqtt_wire.USER_PROPERTY, [])
    return [("mqtt.time", value) for name, value in pairs if name == b"time"][:1]  # type: ignore[union-attr, misc]
