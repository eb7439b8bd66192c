"""Alerting: reads what devices say, decides, and gives alerts and state to Kafka in one transaction."""

from __future__ import annotations

import contextlib
import logging
import signal
import time
from typing import TYPE_CHECKING

from .. import metrics, systemd
from ..kafka_client import Outage
from . import ends, state
from .alert import Place
from .alerting_metrics import AlertingCollector
from .counters import Counters
from .engine import Engine
from .heartbeat import Beat
from .inputs import Inputs
from .lease import Lease
from .ledger import Content, Ledger
from .looks import Looks
from .pipelines import Pipelines
from .record import record_of
from .topics import HEARTBEAT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from confluent_kafka import KafkaError, Message

    from .alert import Alert
    from .config import Config
    from .delivery import Delivery
    from .heartbeat import Heartbeat

log = logging.getLogger(__name__)

# Without an alert, the state is written so often: the card is spared, and a crash repeats no more than that.
CHECKPOINT_S = 30.0
CHECKPOINT_RECORDS = 200_000
POLL_S = 0.2
# Before the first record, while each step of Kafka's takes some milliseconds.
BEGIN_S = 0.02
# While alerts wait for those before them, which Kafka is about to have.
HURRY_S = 0.01
STANDBY_S = 1.0


class ServiceError(Exception):
    """Why this process can't go on; the next one can."""


class Service:
    """One process of alerting; it decides while it has the lease.

    :param heart: sends the beats that are to come back.
    :param own: what takes alerts to what is this host's own, whoever decides.
    :param shared: what takes alerts to what all hosts share, while this one decides.
    """

    ledger_class = Ledger

    def __init__(self, config: Config, heart: Heartbeat, own: Sequence[Delivery], shared: Sequence[Delivery]) -> None:
        self._config = config
        self._heart = heart
        self._own = own
        self._shared = shared
        self.counters = Counters()
        self._outage = Outage(self.counters.errors, "no alert is lost by this: it goes on where it was")
        self.engine = Engine(config.rules)
        self.pipelines = Pipelines(config.gateways, config.stalled_after_s)
        self._lease = Lease(config.bootstrap_servers, config.instance, self._kafka_error)
        self._admin = ends.client(config.bootstrap_servers)
        self._looks = Looks(lambda partitions: ends.Question(self._admin, partitions))
        self._inputs = Inputs(config.bootstrap_servers, [*config.rules.topics, HEARTBEAT], self._kafka_error)
        self._delivering: list[Delivery] = []
        self._outbox: list[Alert] = []
        self._told: set[tuple[str, str]] = set()
        self._committed_at_s = 0.0
        self._committed_records = 0
        self._decides_since_s = self._suspect_again_s = 0.0
        self._stopping = False
        self._watchdog = systemd.Watchdog()

    def run(self) -> None:
        """Work until SIGTERM or SIGINT.

        :raises LeaseLostError: another host decides now.
        :raises LedgerError: this process can't go on.
        :raises ServiceError: the same.
        :raises KafkaException: the same.
        :raises StateError: what Kafka has as the state is none.
        :raises OSError: the port of the metrics is taken.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        metrics.serve(self._config.metrics, AlertingCollector(self, [*self._own, *self._shared]))
        with contextlib.ExitStack() as closing:
            closing.callback(systemd.notify, "STOPPING=1")
            closing.callback(self._lease.close)
            closing.callback(self._inputs.close)
            self._deliver(self._own, closing)
            self._heart.start()  # whoever decides wants to see the pipeline of this host
            closing.callback(self._heart.stop)
            self._stand_by()
            if self._stopping:  # without a word to Kafka, which would end what the host does that decides
                return
            ledger = self.ledger_class(self._config.bootstrap_servers, self._kafka_error)
            self._take_over(ledger)
            if self._stopping:
                return
            self._deliver(self._shared, closing)
            closing.callback(self._end_deliveries)
            self._ready("Deciding")
            while not self._stopping:
                self._turn(ledger)

    @property
    def active(self) -> bool:
        """Whether it decides."""
        return self._lease.held

    def _deliver(self, deliveries: Sequence[Delivery], closing: contextlib.ExitStack) -> None:
        for delivery in deliveries:
            delivery.start()
            closing.callback(delivery.stop)
            self._delivering.append(delivery)

    def _end_deliveries(self) -> None:
        """Let all end at the same time: each may wait for what it is sending."""
        for delivery in self._delivering:
            delivery.end()

    def _see_to_deliveries(self) -> None:
        for delivery in self._delivering:
            if not delivery.running:
                raise ServiceError(f"the thread that takes alerts to {delivery.name} has ended")

    # --- before the first record

    def _stand_by(self) -> None:
        while not self._lease.held and not self._stopping:
            self._lease.poll(STANDBY_S if self._lease.joined else BEGIN_S)
            if self._lease.joined and not self._lease.held:
                self._ready("Standing by: another host decides")
                self._outage.over()
            self._see_to_deliveries()
            self._watchdog.alive()

    def _take_over(self, ledger: Ledger) -> None:
        """Become the one that decides: end what a predecessor had under way, and go on from its state."""
        while not ledger.written():
            self._lease.poll(BEGIN_S)
            self._watchdog.alive()
            if self._stopping:
                return
        stored = state.stored(self._config.bootstrap_servers)
        positions = state.positions_from_json(stored.pop(state.POSITIONS, b"[]"))
        if not positions:
            # The state is gone or there never was one. What was told is found again, and not told again.
            self._told = state.told(self._config.bootstrap_servers)
        self._tell(self.pipelines.load(stored.pop(state.PIPELINES, b"{}")))
        for key, value in stored.items():
            self.engine.load(key, value)
        self._tell(self.engine.loaded())
        self._inputs.begin(positions, from_the_beginning=bool(self._told))
        self._committed_at_s = self._decides_since_s = time.monotonic()
        log.info("this host decides, with the state of %d devices", len(stored))

    # --- record by record

    def _turn(self, ledger: Ledger) -> None:
        self._watchdog.alive()
        self._lease.poll(0)
        self._see_to_deliveries()
        hurried = self._outbox and not self._outage.problem
        for message in self._inputs.read(HURRY_S if hurried else POLL_S):
            self._take(message)
        self._look()
        self._suspect()
        written = ledger.written()
        if written:
            self._committed(written.alerts)
        if not ledger.busy and self._due():
            self._write(ledger)

    def _take(self, message: Message) -> None:
        record = record_of(message)
        if record.topic != HEARTBEAT:
            self.counters.records += 1
            self._tell(self.engine.take(record))
            return
        self.counters.heartbeats += 1
        try:
            beat = Beat.from_json(record.value)
        except ValueError:
            return
        place = Place(record.topic, record.partition, record.offset)
        self._tell(self.pipelines.take(beat, place, record.append_ms, time.monotonic()))
        partitions = [each for each in self._inputs.positions if each[0] != HEARTBEAT]
        self._looks.begin(partitions, self.pipelines.sight(), time.monotonic())

    def _look(self) -> None:
        for partition, sight in self._looks.advance(time.monotonic(), self._inputs.positions):
            self._tell(self.engine.known(*partition, sight))

    def _suspect(self) -> None:
        """See whether a beat is missing: none that Kafka has and this process has not read yet."""
        now_ms, now_s = time.time_ns() // 1_000_000, time.monotonic()
        if now_s < self._suspect_again_s:
            return
        suspects = self.pipelines.suspects(now_s, self._decides_since_s)
        if not suspects:
            return
        self._suspect_again_s = now_s + 1.0
        beats = [each for each in self._inputs.positions if each[0] == HEARTBEAT]
        found = ends.Question(self._admin, beats).ends()
        if any(end is not None and end > self._inputs.positions[each] for each, end in found.items()):
            return
        alerts = [alert for pipeline in suspects for alert in pipeline.stall(now_ms)]
        self._tell(alerts)
        # Kafka may be what has stalled.
        for alert in alerts:
            for delivery in self._delivering:
                delivery.urgent(alert)

    def _tell(self, alerts: Sequence[Alert]) -> None:
        for alert in alerts:
            if (alert.id, alert.state.value) not in self._told:
                self._outbox.append(alert)

    # --- to Kafka

    def _due(self) -> bool:
        # While Kafka is away one waits for it without an alert: it meets the broker that starts, and alerts come after.
        if self._outbox or self._outage.problem:
            return True
        news = self.counters.records + self.counters.heartbeats - self._committed_records
        late = time.monotonic() - self._committed_at_s > CHECKPOINT_S
        return news > CHECKPOINT_RECORDS or (late and news > 0)

    def _write(self, ledger: Ledger) -> None:
        changed = self.engine.take_changed()
        changed[state.PIPELINES] = self.pipelines.dump()
        changed[state.POSITIONS] = state.positions_to_json(self._inputs.positions)
        alerts, self._outbox = self._outbox, []
        self._committed_records = self.counters.records + self.counters.heartbeats
        ledger.write(Content(alerts, changed, after_outage=bool(self._outage.problem)))
        self._lease.show(self._inputs.offsets())

    def _committed(self, alerts: list[Alert]) -> None:
        self._kafka_well()
        self._committed_at_s = time.monotonic()
        now_ms = time.time_ns() // 1_000_000
        for alert in alerts:
            self.counters.alerts[alert.rule, alert.state.value] += 1
            self.counters.decision_seconds.observe(max(0, now_ms - alert.decided_ms) / 1000)

    # --- beside the records

    def _ready(self, status: str) -> None:
        systemd.notify("READY=1", f"STATUS={status}")

    def _kafka_error(self, error: KafkaError) -> None:
        if self._outage.error(error):
            systemd.notify(f"STATUS=Waiting for {self._outage.problem}")

    def _kafka_well(self) -> None:
        if self._outage.over():
            log.info("Kafka takes alerts again")
            systemd.notify("STATUS=Deciding")

    def _stop(self, *_signal: object) -> None:
        self._stopping = True
