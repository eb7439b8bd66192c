"""State and alerts go to Kafka together, or not at all (KIP-98).

The offsets of what was read are a part of the state. They are not sent by AddOffsetsToTxn: after a restart of the only
broker that call did not come back within a minute, although it was given 5 s (librdkafka 2.16).
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import KafkaException, Producer
from tenacity import retry, retry_if_exception_type, wait_exponential

from .. import kafka_client
from .topics import ALERTS, STATE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from confluent_kafka import KafkaError

    from .alert import Alert

log = logging.getLogger(__name__)

TRANSACTIONAL_ID = "raspi-kafka-alerting"
STEP_S = 5.0
LOOK_S, LONGEST_LOOK_S = 0.02, 1.0


class LedgerError(Exception):
    """The producer can't go on; the next process can."""


class Content(NamedTuple):
    """What one transaction carries.

    :ivar state: by key; None takes a key out.
    :ivar after_outage: Kafka was away. A broker takes connections before it is a coordinator, and a producer that is
        told so asks again after 500 ms (librdkafka 2.16).
    """

    alerts: list[Alert]
    state: Mapping[str, bytes | None]
    after_outage: bool = False


class Ledger:
    """One transaction at a time, tried until Kafka has it, in a thread of its own, which may have to wait for Kafka.

    The state in memory is ahead of Kafka meanwhile, so that a transaction that was aborted is made again as it was.

    :ivar busy: something is under way.
    """

    def __init__(self, servers: tuple[str, ...], on_error: Callable[[KafkaError], None]) -> None:
        self.busy = True
        self._work: queue.SimpleQueue[Content] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Content | Exception] = queue.SimpleQueue()
        self._producer = Producer(
            {
                **kafka_client.common(servers, TRANSACTIONAL_ID),
                **kafka_client.HURRIED,
                "transactional.id": TRANSACTIONAL_ID,
                "transaction.timeout.ms": 30_000,
                "linger.ms": 0,
                # A transaction right after another one meets the end of that, which takes some milliseconds, not 100.
                "retry.backoff.ms": 5,
                "compression.type": "gzip",  # what every client can read
                "partitioner": "murmur2_random",
                "error_cb": on_error,
            },
            logger=kafka_client.logger(),
        )
        threading.Thread(target=self._live, name="ledger", daemon=True).start()

    def write(self, content: Content) -> None:
        """Begin a transaction."""
        self.busy = True
        self._work.put(content)

    def written(self) -> Content | None:
        """Return what Kafka has now, if something was under way and has come to its end.

        The first one is empty: what a predecessor had under way is over.

        :raises LedgerError: this process can't go on.
        """
        try:
            done = self._done.get_nowait()
        except queue.Empty:
            return None
        if isinstance(done, Exception):
            raise LedgerError(f"Kafka ends the transactions of this process: {done}") from done
        self.busy = False
        return done

    def _live(self) -> None:
        try:
            self._find_leader()
            self._persist([self._open])
            content = Content([], {})
            while True:
                self._done.put(content)
                content = self._work.get()
                if content.after_outage:
                    self._find_leader()
                self._transact(content)
        except Exception as fatal:  # whatever it is, a thread that is gone would write no alert any more
            self._done.put(fatal)

    @retry(retry=retry_if_exception_type(KafkaException), wait=wait_exponential(LOOK_S, LONGEST_LOOK_S, exp_base=1.3))
    def _find_leader(self) -> None:
        """Wait for a connection, and until the state has a leader; of an only broker the coordinator is there then."""
        found = self._producer.list_topics(STATE, STEP_S).topics[STATE]
        for each in (found, *found.partitions.values()):
            if each.error:
                raise KafkaException(each.error)

    def _transact(self, content: Content) -> None:
        steps = [
            self._producer.begin_transaction,
            partial(self._produce, self._records(content)),
            partial(self._producer.commit_transaction, STEP_S),
        ]
        while not self._persist(steps):
            self._persist([partial(self._producer.abort_transaction, STEP_S)])
            steps[1] = partial(self._produce, self._records(content))

    def _persist(self, steps: list[Callable[[], None]]) -> bool:
        """Take each step, as often as Kafka wants it; tell whether the transaction need not be aborted.

        :raises KafkaException: the producer can't go on.
        """
        left = deque(steps)
        while left:
            try:
                left[0]()
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as failed:
                error = failed.args[0]
                if error.txn_requires_abort() and not error.fatal():
                    log.warning("a transaction is made again: %s", error.str())
                    return False
                if not error.retriable() or error.fatal():
                    raise
            else:
                left.popleft()
        return True

    def _records(self, content: Content) -> deque[tuple[str, str, bytes | None]]:
        alerts = [(ALERTS, each.device, each.to_json()) for each in content.alerts]
        return deque([*alerts, *((STATE, key, value) for key, value in content.state.items())])

    # --- steps; each may be taken again until it has gone well

    def _open(self) -> None:
        self._producer.init_transactions(STEP_S)

    def _produce(self, records: deque[tuple[str, str, bytes | None]]) -> None:
        while records:
            topic, key, value = records[0]
            self._producer.produce(topic, value, key)
            records.popleft()
