"""Whatever Kafka refuses, no record is lost and those of a device land in order.

The producer is scripted: it tells what a real one would, at the moment that the test chooses.
"""

from __future__ import annotations

import random
from collections import defaultdict, deque
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from raspi_kafka.bridge.counters import Counters
from raspi_kafka.bridge.delivery import Delivery, ProducerFatalError
from raspi_kafka.bridge.packets import Publish
from raspi_kafka.bridge.record import Record
from raspi_kafka.bridge.routes import Route
from raspi_kafka.bridge.stall import Health

if TYPE_CHECKING:
    from collections.abc import Callable

DEAD = "dead-letters"
LARGE = 100_000
TARGET = KafkaError.TOPIC_AUTHORIZATION_FAILED
TOO_LARGE = KafkaError.MSG_SIZE_TOO_LARGE
Verdict = int | None


class Sent:
    def __init__(self, topic: str, value: bytes, key: bytes, headers: dict[str, bytes], report: Callable) -> None:
        self.topic, self.value, self.key, self.headers, self.report = topic, value, key, headers, report


class Kafka:
    """The log of each topic, and two producers for it."""

    def __init__(self) -> None:
        self.log: dict[str, list[Sent]] = defaultdict(list)
        self.producers: list[Producer] = []
        self.verdict: Callable[[Sent], Verdict] = lambda _sent: None

    def batching(self) -> Producer:
        """One that ends itself with the first refusal."""
        self.producers.append(Producer(self, gapless=True))
        return self.producers[-1]

    def single(self) -> Producer:
        self.producers.append(Producer(self, gapless=False))
        return self.producers[-1]

    def values(self, topic: str) -> list[bytes]:
        return [sent.value for sent in self.log[topic]]


def throw(error: Exception | None) -> None:
    """Raise what a test has put there."""
    if error:
        raise error


class Producer:
    """Holds what is produced until `serve`; reports only in poll()."""

    def __init__(self, kafka: Kafka, *, gapless: bool) -> None:
        self._kafka = kafka
        self._gapless = gapless
        self._ends = False
        self._ended = False
        self.queue: deque[Sent] = deque()
        self.in_flight: list[Sent] = []
        self._told: list[tuple[Sent, Verdict]] = []
        self.refuses: KafkaException | BufferError | None = None
        self.fatal: KafkaException | None = None
        self.partitions: dict[int, SimpleNamespace] | None = {}

    def __len__(self) -> int:
        return len(self.queue) + len(self.in_flight) + len(self._told)

    def produce(self, topic: str, value: bytes, key: bytes, *, on_delivery: Callable, headers: list) -> None:
        if self._ended:
            raise KafkaException(KafkaError(KafkaError._FATAL))
        throw(self.refuses)
        self.queue.append(Sent(topic, value, key, dict(headers), on_delivery))

    def serve(self, count: int = 1000) -> None:
        """Let Kafka take or refuse some of what is queued."""
        for _each in range(min(count, len(self.queue))):
            if self._ended:
                return
            sent = self.queue.popleft()
            verdict = self._kafka.verdict(sent)
            if verdict is None:
                self._kafka.log[sent.topic].append(sent)
            self._told.append((sent, verdict))
            self._ends = self._ended = self._gapless and verdict is not None

    def refuse_batch(self, verdict: int) -> None:
        """Let Kafka refuse all that is queued at once, whichever record is to blame."""
        self._told += [(sent, verdict) for sent in self.queue]
        self.queue.clear()
        self._ends = self._ended = self._gapless

    def answer(self) -> None:
        """Let the broker take what it has; the end of the producer makes no difference to that."""
        for sent in self.in_flight:
            self._kafka.log[sent.topic].append(sent)
            self._told.append((sent, None))
        self.in_flight.clear()

    def poll(self, _timeout: float) -> None:
        if self._ends:
            self._ends = False
            raise KafkaException(KafkaError(KafkaError._GAPLESS_GUARANTEE, "x", True))
        throw(self.fatal)
        told, self._told = self._told, []
        for sent, verdict in told:
            sent.report(None if verdict is None else KafkaError(verdict), None)

    def list_topics(self, topic: str, _timeout: float) -> SimpleNamespace:
        if self.partitions is None:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        return SimpleNamespace(topics={topic: SimpleNamespace(partitions=self.partitions)})

    def purge(self, *, in_queue: bool = True, in_flight: bool = True) -> None:
        assert in_queue
        assert not in_flight, "what is in flight may be in Kafka already"
        self._told += [(sent, KafkaError._PURGE_QUEUE) for sent in self.queue]
        self.queue.clear()


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def kafka() -> Kafka:
    return Kafka()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def counters() -> Counters:
    return Counters()


@pytest.fixture
def delivery(kafka: Kafka, clock: Clock, counters: Counters) -> Delivery:
    return Delivery(kafka.batching, kafka.single, DEAD, counters, clock)


def record(device: str, value: bytes) -> Record:
    topic = f"devices/{device}/t".encode()
    header = ("mqtt.topic", topic)
    return Record(Publish(topic, value, 1, 0, None), Route("telemetry", device.encode(), header, None), [header], 0.0)


def send(delivery: Delivery, *named: str) -> list[Record]:
    """Send a1 a2 b1: the number counts for the reader alone."""
    records = [record(name[0], name.encode()) for name in named]
    for each in records:
        delivery.send(each)
    return records


def settle(delivery: Delivery, kafka: Kafka, clock: Clock, turns: int = 200) -> None:
    """Let time pass until nothing is pending."""
    for _turn in range(turns):
        if not delivery.pending and not delivery.recovering:
            return
        kafka.producers[-1].serve()
        delivery.poll()
        clock.now += 1
    pytest.fail("it never came to an end")


def carry_in_vain(delivery: Delivery, producer: Producer) -> None:
    """Let what is in flight come to nothing after a while: it queues up again, behind all else."""
    for _turn in range(3):
        delivery.poll()
    producer.queue.append(producer.in_flight.pop())


def test_records_land(delivery: Delivery, kafka: Kafka, counters: Counters) -> None:
    records = send(delivery, "a1", "a2")
    assert (delivery.pending, delivery.bytes) == (2, sum(each.size for each in records))
    assert not delivery.poll()
    kafka.producers[0].serve(1)
    assert delivery.poll()
    assert [each.delivered for each in records] == [True, False]
    kafka.producers[0].serve(1)
    assert delivery.poll()
    assert (delivery.pending, delivery.bytes, delivery.recovering) == (0, 0, False)
    assert sum(counters.delivery_seconds.buckets) == 2


@pytest.mark.parametrize("code", [TARGET, KafkaError._UNKNOWN_TOPIC, KafkaError.UNKNOWN, KafkaError._FAIL])
def test_a_refused_topic_is_held_until_it_is_taken(
    delivery: Delivery, kafka: Kafka, clock: Clock, counters: Counters, code: int
) -> None:
    kafka.verdict = lambda _sent: code
    records = send(delivery, "a1", "b1", "a2")
    for _turn in range(50):
        kafka.producers[-1].serve()
        delivery.poll()
        clock.now += 1
    assert delivery.recovering
    assert "telemetry" in delivery.held
    assert not any(each.delivered for each in records)
    assert counters.errors
    kafka.verdict = lambda _sent: None
    settle(delivery, kafka, clock)
    assert all(each.delivered for each in records)
    assert delivery.held == ""
    assert sorted(kafka.values("telemetry")) == [b"a1", b"a2", b"b1"]
    assert kafka.values(DEAD) == []


def test_nothing_overtakes_what_was_refused(delivery: Delivery, kafka: Kafka, clock: Clock) -> None:
    refused = [b"a1"]
    kafka.verdict = lambda sent: TARGET if sent.value in refused else None
    send(delivery, "a1", "a2", "a3")
    kafka.producers[0].serve()
    refused.clear()
    send(delivery, "a4")  # the producer has ended, which nobody knows yet
    delivery.poll()
    send(delivery, "a5")
    settle(delivery, kafka, clock)
    send(delivery, "a6")
    settle(delivery, kafka, clock)
    assert kafka.values("telemetry") == [b"a1", b"a2", b"a3", b"a4", b"a5", b"a6"]


def test_what_is_received_while_a_record_is_held_waits_behind_it(
    delivery: Delivery, kafka: Kafka, clock: Clock
) -> None:
    kafka.verdict = lambda sent: TARGET if sent.value == b"a1" else None
    send(delivery, "a1")
    for turn in range(20):
        if turn == 10:
            assert len(kafka.producers) == 2, "it is tried again by now"
            send(delivery, "a2")
        kafka.producers[-1].serve()
        delivery.poll()
        clock.now += 1
    assert kafka.values("telemetry") == []
    kafka.verdict = lambda _sent: None
    settle(delivery, kafka, clock)
    assert kafka.values("telemetry") == [b"a1", b"a2"]


def test_what_is_in_flight_is_waited_for(delivery: Delivery, kafka: Kafka, clock: Clock) -> None:
    """It may be in Kafka by now, so that another try would store it twice."""
    kafka.verdict = lambda sent: TARGET if sent.value == b"a1" and sent.topic == "telemetry" else None
    producer = kafka.producers[0]
    send(delivery, "a1", "b1")
    producer.in_flight.append(producer.queue.pop())
    producer.serve()
    for _turn in range(5):
        delivery.poll()
        clock.now += 1
    assert len(kafka.producers) == 1
    producer.answer()
    kafka.verdict = lambda _sent: None
    settle(delivery, kafka, clock)
    assert sorted(kafka.values("telemetry")) == [b"a1", b"b1"]


def test_what_a_request_has_carried_in_vain_is_taken_back_too(delivery: Delivery, kafka: Kafka, clock: Clock) -> None:
    """It queues up again after all else was taken back, in a producer that sends nothing any more."""
    refused = [b"a1"]
    kafka.verdict = lambda sent: TARGET if sent.value in refused else None
    producer = kafka.producers[0]
    send(delivery, "a1", "b1")
    producer.in_flight.append(producer.queue.pop())
    producer.serve()
    carry_in_vain(delivery, producer)
    refused.clear()
    settle(delivery, kafka, clock)
    assert sorted(kafka.values("telemetry")) == [b"a1", b"b1"]


def test_what_hangs_goes_to_a_new_producer_in_order(delivery: Delivery, kafka: Kafka, clock: Clock) -> None:
    records = send(delivery, "a1", "a2", "b1")
    delivery.renew()
    send(delivery, "a3")
    settle(delivery, kafka, clock)
    assert [each for each in kafka.values("telemetry") if each != b"b1"] == [b"a1", b"a2", b"a3"]
    assert all(each.delivered for each in records)
    assert len(kafka.producers) == 3, "the one that hung, one for single records, and one as before"


def test_what_a_hanging_producer_has_sent_in_vain_is_taken_back(delivery: Delivery, kafka: Kafka, clock: Clock) -> None:
    producer = kafka.producers[0]
    send(delivery, "a1", "a2")
    producer.in_flight.append(producer.queue.popleft())
    delivery.renew()
    carry_in_vain(delivery, producer)
    assert len(kafka.producers) == 1, "Kafka might have taken it"
    settle(delivery, kafka, clock)
    assert kafka.values("telemetry") == [b"a1", b"a2"]


def test_a_new_producer_is_not_asked_for_twice(delivery: Delivery, kafka: Kafka, clock: Clock) -> None:
    kafka.verdict = lambda _sent: TARGET
    send(delivery, "a1")
    kafka.producers[0].serve()
    delivery.poll()
    delivery.renew()
    kafka.verdict = lambda _sent: None
    settle(delivery, kafka, clock)
    assert kafka.values("telemetry") == [b"a1"]


@pytest.mark.parametrize(
    ("partitions", "health"),
    [
        ([(1, 3), (2, 3)], Health.IN_SYNC),
        ([(1, 3), (2, 2)], Health.LED),
        ([(1, 3), (-1, 3)], Health.AWAY),
        ([(-1, 2)], Health.AWAY),
        ([], Health.IN_SYNC),
    ],
)
def test_kafka_is_asked_how_a_topic_is(
    delivery: Delivery, kafka: Kafka, partitions: list[tuple[int, int]], health: Health
) -> None:
    kafka.producers[0].partitions = {
        number: SimpleNamespace(leader=leader, replicas=[1, 2, 3], isrs=list(range(in_sync)))
        for number, (leader, in_sync) in enumerate(partitions)
    }
    assert delivery.health(["telemetry"], 5) is health


def test_kafka_does_not_answer(delivery: Delivery, kafka: Kafka) -> None:
    kafka.producers[0].partitions = None
    assert delivery.health(["telemetry"], 5) is Health.AWAY


def test_after_a_refusal_each_device_has_one_record_under_way(delivery: Delivery, kafka: Kafka, clock: Clock) -> None:
    kafka.verdict = lambda _sent: KafkaError._TRANSPORT
    send(delivery, "a1", "a2", "b1", "b2")
    kafka.producers[0].serve()
    kafka.verdict = lambda _sent: None
    for _turn in range(5):
        delivery.poll()
        clock.now += 1
    assert [sent.value for sent in kafka.producers[-1].queue] == [b"a1", b"b1"]
    settle(delivery, kafka, clock)
    assert sorted(kafka.values("telemetry")) == [b"a1", b"a2", b"b1", b"b2"]


def test_while_it_is_held_one_record_tries(delivery: Delivery, kafka: Kafka, clock: Clock) -> None:
    kafka.verdict = lambda _sent: TARGET
    send(delivery, *(f"{device}1" for device in "abcdef"))
    settled_tries = []
    for _turn in range(40):
        settled_tries.append(len(kafka.producers[-1].queue))
        kafka.producers[-1].serve()
        delivery.poll()
        clock.now += 1
    assert set(settled_tries[5:]) <= {0, 1}
    assert 3 <= sum(settled_tries[5:]) <= 20, "it tries again and again, and not at each turn"


def test_what_is_too_large_is_a_dead_letter_with_the_reason(
    delivery: Delivery, kafka: Kafka, clock: Clock, counters: Counters
) -> None:
    kafka.verdict = lambda sent: TOO_LARGE if sent.topic == "telemetry" and len(sent.value) > 1000 else None
    large = record("a", b"x" * 1001)
    delivery.send(large)
    send(delivery, "a2")
    settle(delivery, kafka, clock)
    (letter,) = kafka.log[DEAD]
    assert (letter.value, letter.key) == (large.payload, b"a")
    assert letter.headers["error"] == b"MSG_SIZE_TOO_LARGE"
    assert letter.headers["reason"]
    assert letter.headers["mqtt.topic"] == b"devices/a/t"
    assert kafka.values("telemetry") == [b"a2"]
    assert counters.dead_lettered == {"MSG_SIZE_TOO_LARGE": 1}
    assert large.delivered


def test_a_batch_that_is_refused_makes_no_dead_letters_of_what_fits(
    delivery: Delivery, kafka: Kafka, clock: Clock
) -> None:
    kafka.verdict = lambda sent: TOO_LARGE if sent.topic == "telemetry" and len(sent.value) > 100 else None
    for each in (b"1", b"2" * 200, b"3"):
        delivery.send(record("a", each))
    kafka.producers[0].refuse_batch(TOO_LARGE)
    settle(delivery, kafka, clock)
    assert kafka.values("telemetry") == [b"1", b"3"]
    assert kafka.values(DEAD) == [b"2" * 200]


def test_a_dead_letter_that_is_too_large_goes_without_its_payload(
    delivery: Delivery, kafka: Kafka, clock: Clock, counters: Counters
) -> None:
    kafka.verdict = lambda sent: TOO_LARGE if len(sent.value) > 100 else None
    delivery.send(record("a", b"x" * LARGE))
    settle(delivery, kafka, clock)
    (letter,) = kafka.log[DEAD]
    assert letter.value == b""
    assert f"the payload of {LARGE} bytes".encode() in letter.headers["reason"]
    assert counters.dead_lettered == {"MSG_SIZE_TOO_LARGE": 1}


def test_a_dead_letter_topic_that_takes_nothing_is_held(delivery: Delivery, kafka: Kafka, clock: Clock) -> None:
    kafka.verdict = lambda _sent: TOO_LARGE
    delivery.send(record("a", b"x" * LARGE))
    for _turn in range(50):
        kafka.producers[-1].serve()
        delivery.poll()
        clock.now += 1
    assert DEAD in delivery.held
    kafka.verdict = lambda sent: TOO_LARGE if sent.topic == "telemetry" else None
    settle(delivery, kafka, clock)
    assert len(kafka.log[DEAD]) == 1


def test_a_dead_letter_of_the_bridge_names_error_and_reason(
    delivery: Delivery, kafka: Kafka, clock: Clock, counters: Counters
) -> None:
    delivery.send_dead_letter(record("a", b"a1"), "SCHEMA", "no number")
    settle(delivery, kafka, clock)
    (letter,) = kafka.log[DEAD]
    assert (letter.headers["error"], letter.headers["reason"]) == (b"SCHEMA", b"no number")
    assert counters.dead_lettered == {"SCHEMA": 1}


@pytest.mark.parametrize(
    "refused", [BufferError("full"), KafkaException(KafkaError(KafkaError._UNKNOWN_TOPIC))], ids=["full", "unknown"]
)
def test_what_produce_itself_refuses_is_tried_again(
    delivery: Delivery, kafka: Kafka, clock: Clock, refused: Any
) -> None:
    send(delivery, "a1")
    kafka.producers[0].refuses = refused
    send(delivery, "a2")
    kafka.producers[0].refuses = None
    settle(delivery, kafka, clock)
    assert kafka.values("telemetry") == [b"a1", b"a2"]


def test_a_producer_that_cannot_go_on_ends_it(delivery: Delivery, kafka: Kafka) -> None:
    kafka.producers[0].fatal = KafkaException(KafkaError(KafkaError.INVALID_PRODUCER_EPOCH, "fenced", True))
    with pytest.raises(ProducerFatalError, match="fenced"):
        delivery.poll()


def test_whatever_is_refused_when_all_lands_once_in_order(
    delivery: Delivery, kafka: Kafka, clock: Clock, counters: Counters
) -> None:
    """What follows a refused record in the same queue is refused too, as an idempotent producer has it."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    codes = [TARGET, KafkaError.UNKNOWN, KafkaError._PURGE_QUEUE]
    refusing = [0]

    def verdict(sent: Sent) -> Verdict:
        if sent.topic == "telemetry" and sent.value.endswith(b"!"):
            return KafkaError.INVALID_RECORD
        if refusing[0] == 0 and chance.random() < 0.02:
            refusing[0] = chance.randint(1, 30)
        if refusing[0]:
            refusing[0] -= 1
            return chance.choice(codes)
        return None

    kafka.verdict = verdict
    sent: dict[str, list[bytes]] = defaultdict(list)
    for number in range(3000):
        device = chance.choice("abcdefgh")
        value = f"{number}{'!' if chance.random() < 0.02 else ''}".encode()
        sent[device].append(value)
        delivery.send(record(device, value))
        if chance.random() < 0.1:
            before = refusing[0]
            kafka.producers[-1].serve(1 if before else chance.randint(1, 100))
            delivery.poll()
            clock.now += chance.choice([0, 0.3, 5])
    settle(delivery, kafka, clock, turns=20_000)
    for device, values in sent.items():
        landed = [each.value for each in kafka.log["telemetry"] if each.key == device.encode()]
        assert landed == [value for value in values if not value.endswith(b"!")]
    letters = sorted(kafka.values(DEAD))
    assert letters == sorted(value for values in sent.values() for value in values if value.endswith(b"!"))
    assert counters.dead_lettered["INVALID_RECORD"] == len(letters)
