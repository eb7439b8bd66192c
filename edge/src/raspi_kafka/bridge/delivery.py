"""Records on their way to Kafka."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException

from .errors import ErrorClass, classify, error_of
from .recovery import Recovery
from .stall import Health

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from confluent_kafka import Producer

    from .counters import Counters
    from .record import Record


class ProducerFatalError(Exception):
    """The producer can't go on."""


class Delivery:
    """Takes records to Kafka, those of a device in order, whatever Kafka refuses meanwhile.

    While all is well, records go to a producer that batches, and that ends itself with the first refusal, so that
    nothing overtakes what was refused. What is under way then comes back, and a Recovery takes over until all records
    have landed.

    :ivar pending: records that Kafka does not have yet.
    :ivar bytes: of their content.
    """

    def __init__(
        self,
        batching: Callable[[], Producer],
        single: Callable[[], Producer],
        dead_letter_topic: str,
        counters: Counters,
        clock: Callable[[], float],
    ) -> None:
        self._batching = batching
        self._single = single
        self._producer = batching()
        self._reports: list[Record] = []
        self._recovery: Recovery | None = None
        self._dead_letter_topic = dead_letter_topic
        self._counters = counters
        self._clock = clock
        self._count = itertools.count()
        self.pending = 0
        self.bytes = 0

    @property
    def in_flight(self) -> int:
        """Records inside librdkafka."""
        return len(self._producer)

    @property
    def recovering(self) -> bool:
        """Whether a record failed that has not landed yet; nothing should be read meanwhile."""
        return self._recovery is not None

    @property
    def held(self) -> str:
        """What Kafka refuses until a person acts; "" if nothing."""
        return self._recovery.held if self._recovery else ""

    def send(self, record: Record) -> None:
        """Take a record to its topic."""
        self.pending += 1
        self.bytes += record.size
        record.number = next(self._count)
        record.reports = self._reports
        if self._recovery is None:
            self._produce(record)
        else:
            self._recovery.add(record)

    def send_dead_letter(self, record: Record, error: str, reason: str) -> None:
        """Take a record to the dead-letter topic, with the reason."""
        self._counters.dead_lettered[error] += 1
        self._to_dead_letters(record, error, reason)
        self.send(record)

    def poll(self) -> bool:
        """Serve delivery reports; tell whether a record landed.

        :raises ProducerFatalError: the producer can't go on.
        """
        self._serve()
        landed = bool(self._reports) and self._take_reports()
        if self._recovery is not None:
            self._recover(self._recovery)
        return landed

    def close(self) -> None:
        """Give up what has not landed; the MQTT server still has it."""
        self._producer.purge()

    def renew(self) -> None:
        """Let a new producer take what this one keeps although Kafka would take it.

        A topic that was removed and made anew begins with leader epoch 0. To librdkafka 2.16 that is older than what it
        knows, and it goes on asking the brokers that led the former one, for ever.
        """
        if self._recovery is None:
            self._recovery = Recovery()

    def health(self, topics: Iterable[str], timeout_s: float) -> Health:
        """Ask Kafka how topics are; this waits.

        Each is asked for by name: asked for all, librdkafka would keep what it was told of topics that the bridge has
        nothing to do with.
        """
        try:
            told = [self._producer.list_topics(topic, timeout_s).topics[topic] for topic in topics]
        except KafkaException:
            return Health.AWAY
        partitions = [each for topic in told for each in topic.partitions.values()]
        if any(each.leader < 0 for each in partitions):
            return Health.AWAY
        in_sync = all(len(each.isrs) == len(each.replicas) for each in partitions)
        return Health.IN_SYNC if in_sync else Health.LED

    def _serve(self) -> None:
        try:
            self._producer.poll(0)
        except KafkaException as ended:
            error = error_of(ended)
            if error.code() != KafkaError._GAPLESS_GUARANTEE:
                raise ProducerFatalError(error.str()) from ended

    def _produce(self, record: Record) -> None:
        try:
            self._producer.produce(
                record.target, record.value, record.key, on_delivery=record.reported, headers=record.headers
            )
        except (BufferError, KafkaException) as refused:
            record.reported(error_of(refused), None)
        else:
            self._counters.produced += 1

    def _take_reports(self) -> bool:
        landed = size = 0
        now = self._clock()
        observe = self._counters.delivery_seconds.observe
        for record in self._reports:
            if record.error is None:
                record.delivered = True
                landed += 1
                size += record.size
                observe(now - record.born)
                if self._recovery is not None:
                    self._recovery.landed(record)
            else:
                self._failed(record, record.error)
        self._reports.clear()
        self.bytes -= size
        self.pending -= landed
        return landed > 0

    def _failed(self, record: Record, error: KafkaError) -> None:
        meaning = self._meaning(record, error)
        recovery = self._recovery
        if recovery is None:
            self._recovery = recovery = Recovery()
        elif recovery.began and meaning is ErrorClass.RECORD:  # before that, it was a verdict on a whole batch
            self._refused(record, error)
        recovery.failed(record, error, meaning, self._clock())

    def _meaning(self, record: Record, error: KafkaError) -> ErrorClass:
        meaning = classify(error)
        if meaning is ErrorClass.RECORD and record.target == self._dead_letter_topic and not record.value:
            meaning = ErrorClass.TARGET  # there is nothing left that could be left out
        if error.code() not in (KafkaError._PURGE_QUEUE, KafkaError._FATAL):
            self._counters.errors[meaning.value, error.name()] += 1
        return meaning

    def _refused(self, record: Record, error: KafkaError) -> None:
        """Make a dead letter of a record; one that is too large even so goes without its payload."""
        name, reason = error.name(), error.str()
        if record.target == self._dead_letter_topic:
            record.value = b""
            reason = f"{reason}; the payload of {len(record.payload)} bytes is too large for {record.target} too"
        else:
            self._counters.dead_lettered[name] += 1
        self._to_dead_letters(record, name, reason)

    def _to_dead_letters(self, record: Record, error: str, reason: str) -> None:
        record.target = self._dead_letter_topic
        told = [header for header in record.headers if header[0].startswith("mqtt.")]
        record.headers = [*told, ("error", error.encode()), ("reason", reason.encode())]

    def _recover(self, recovery: Recovery) -> None:
        if not recovery.began:
            # Only what no request carries can be taken back without a doubt whether Kafka has it. What a request has
            # carried in vain queues up again: in a producer that has ended, which never sends it, or in one that hangs,
            # which would send it after retry.backoff.ms, 100 times the pause between two of these looks.
            self._producer.purge(in_queue=True, in_flight=False)
            if self.in_flight:
                return
            self._producer = self._single()
            recovery.begin()
        for record in recovery.due(self._clock()):
            self._produce(record)
        if recovery.over:
            self._producer = self._batching()
            self._recovery = None
