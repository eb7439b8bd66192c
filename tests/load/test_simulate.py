"""`raspi-kafka simulate` against a real Mosquitto, and what a subscriber of another hand received from it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.bridge.mosquitto import BRIDGE, PASSWORD, Mosquitto
from tests.bridge.process import Process, running, until
from tests.hosts.cache import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEVICES = 20
NAMES = [f"sim-{number:05}" for number in range(1, DEVICES + 1)]
# The hold of a run that a test ends.
LONG = "600"
# Messages of two workers, each with a sample of 4 bytes; a pipe takes 64 KiB (pipe(7)).
MORE_THAN_A_PIPE_TAKES = 40_000


class Subscriber:
    """Receives all that devices send from now on, in a session that outlives connections.

    :ivar payloads: by device, in the order of reception.
    """

    def __init__(self, port: int) -> None:
        self.payloads: dict[str, list[bytes]] = {name: [] for name in NAMES}
        self._subscribed = False
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, BRIDGE, protocol=paho.MQTTv5)
        self._client.username_pw_set(BRIDGE, PASSWORD)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_rest: client.subscribe("devices/#", 2)
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 3600
        self._client.connect("127.0.0.1", port, clean_start=paho.MQTT_CLEAN_START_FIRST_ONLY, properties=properties)
        self._client.loop_start()
        until("it is subscribed", lambda: self._subscribed)

    def numbers(self, device: str) -> list[int]:
        return [json.loads(payload)["seq"] for payload in self.payloads[device]]

    def end(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_subscribe(self, *_what: Any) -> None:
        self._subscribed = True

    def _on_message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        self.payloads[message.topic.split("/")[1]].append(bytes(message.payload))


class Simulator(Process):
    """The command; each life has a journal of its own."""

    def __init__(self, root: Path, mosquitto: Mosquitto, *options: str) -> None:
        self.journal = root / "journal"
        credentials = root / "credentials.json"
        credentials.write_text(json.dumps({"passwords": dict.fromkeys(NAMES, PASSWORD)}))
        where = ["--mqtt", f"127.0.0.1:{mosquitto.port}", "--credentials", credentials, "--journal", self.journal]
        command = [sys.executable, "-m", "raspi_kafka", "simulate", *where, "--devices", str(DEVICES), "--ramp", "0.5"]
        super().__init__([*command, *options], root / "simulate.log", {"PYTHONPATH": str(REPOSITORY / "edge" / "src")})

    def run(self) -> int:
        self.start()
        return self.ended()

    def read(self) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
        """The first lines of all workers, and what they say of each device."""
        heads, devices = [], {}
        for file in sorted(self.journal.iterdir()):
            head, *lines = map(json.loads, file.read_text().splitlines())
            heads.append(head)
            devices |= {line["device"]: line for line in lines}
        assert sorted(devices) == NAMES
        return heads, devices

    def told(self, name: str) -> str:
        """What the summary says."""
        found = re.search(rf"^{name} +(.*)$", self.tail(), re.MULTILINE)
        assert found, self.tail()
        return found[1]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with running(Mosquitto(tmp_path_factory.mktemp("simulate") / "mosquitto", NAMES)) as mosquitto:
        yield mosquitto


@pytest.fixture
def subscriber(server: Mosquitto) -> Iterator[Subscriber]:
    if not server.running:
        server.start()
    subscriber = Subscriber(server.port)
    try:
        yield subscriber
    finally:
        subscriber.end()


@pytest.fixture
def simulator(tmp_path: Path, server: Mosquitto) -> Iterator[Callable[..., Simulator]]:
    made: list[Simulator] = []

    def make(*options: str) -> Simulator:
        made.append(Simulator(tmp_path, server, *options))
        return made[-1]

    try:
        yield make
    finally:
        for each in made:
            each.clean_up()


def unread(port: int) -> int:
    """Return how many connections of a local server have bytes that it has not read."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(f":{port:04X}") and row[3] == "01" and int(row[4].split(":")[1], 16) > 0 for row in rows)


def acknowledged(line: dict[str, Any]) -> set[int]:
    return {number for number, acked in enumerate(line["acked"]) if acked is not None}


def received_all(subscriber: Subscriber, devices: dict[str, dict[str, Any]]) -> None:
    """Wait until all that was acknowledged was received; the subscriber may lag behind."""
    until(
        "all was received",
        lambda: all(acknowledged(line) <= set(subscriber.numbers(name)) for name, line in devices.items()),
    )


@pytest.mark.parametrize("qos", ["0", "1", "2"])
def test_every_message_arrives_once_in_order_and_is_acknowledged_after_it_was_sent(
    qos: str, simulator: Callable[..., Simulator], subscriber: Subscriber
) -> None:
    run = simulator("--qos", qos, "--rate", "10", "--hold", "1", "--workers", "2")
    assert run.run() == 0, run.tail()
    heads, devices = run.read()
    assert [head["worker"] for head in heads] == [0, 1]
    assert {(head["qos"], head["aborted"]) for head in heads} == {(int(qos), False)}
    assert len({head["began_ns"] for head in heads}) == 1
    assert len({head["pid"] for head in heads}) == 2
    total = sum(len(line["sent"]) for line in devices.values())
    until("all was received", lambda: sum(map(len, subscriber.payloads.values())) >= total)
    assert all(subscriber.numbers(name) == list(range(len(line["sent"]))) for name, line in devices.items())
    for line in devices.values():
        assert 9 <= len(line["sent"]) == line["made"] <= 15
        assert line["sent"] == sorted(line["sent"])
        assert (line["disconnects"], line["refused"], line["resent"]) == (0, 0, 0)
        assert len(line["acked"]) == (len(line["sent"]) if qos != "0" else 0)
        assert all(acked >= sent for sent, acked in zip(line["sent"], line["acked"], strict=False))
    for payloads in subscriber.payloads.values():
        assert [json.loads(each).get("bye") for each in payloads] == [*[None] * (len(payloads) - 1), True]
    assert run.told("messages") == f"{total} at QoS {qos}, {total} {'sent' if qos == '0' else 'acked'}, 0 sent again"


def test_times_of_the_journal_are_those_of_the_payloads(
    simulator: Callable[..., Simulator], subscriber: Subscriber
) -> None:
    """A message is made before it is sent, and not long before; a device's clock is wrong by the same each time."""
    run = simulator("--rate", "5", "--hold", "1", "--skew", "1000")
    assert run.run() == 0, run.tail()
    (head,), devices = run.read()
    received_all(subscriber, devices)
    skews = []
    for name, line in devices.items():
        at_s = [(json.loads(payload)["ts_ns"] - head["began_ns"]) / 1e9 for payload in subscriber.payloads[name]]
        off_s = [made_s - sent / 1e3 for made_s, sent in zip(at_s, line["sent"], strict=True)]
        assert max(off_s) - min(off_s) < 30
        skews.append(off_s[0])
    assert -1030 < min(skews) < -200
    assert 200 < max(skews) < 1000


def test_what_is_planted_is_said_over_an_open_connection_by_the_right_clock(
    simulator: Callable[..., Simulator], subscriber: Subscriber
) -> None:
    plants = ("--spike", "0.5:5:1", "--silence", "0.5:4:1")
    run = simulator("--rate", "10", "--hold", "2", "--skew", "1000", "--workers", "2", *plants)
    assert run.run() == 0, run.tail()
    heads, devices = run.read()
    received_all(subscriber, devices)
    planted = {name: line["planted"] for name, line in devices.items() if line["planted"]}
    assert Counter(kind for ((kind, _began, _ended),) in planted.values()) == {"spike": 5, "silence": 4}
    for name, ((kind, began, ended),) in planted.items():
        if kind == "silence":
            assert ended == began + 1
            assert devices[name]["sent"][ended] - devices[name]["sent"][began] >= 1000
            continue
        said = [json.loads(payload) for payload in subscriber.payloads[name]]
        hot = [each for each in said if each["temperature"] > 90]
        assert [each["seq"] for each in hot] == list(range(began, ended))
        assert all(abs(each["ts_ns"] - heads[0]["began_ns"]) < 60e9 for each in hot)
    assert run.told("disconnects") == "0"


@pytest.mark.parametrize("qos", ["1", "2"])
def test_a_mosquitto_that_is_killed_costs_no_message_and_what_was_open_is_sent_again(
    qos: str, simulator: Callable[..., Simulator], subscriber: Subscriber, server: Mosquitto
) -> None:
    run = simulator("--qos", qos, "--rate", "50", "--hold", LONG)
    run.start()
    until("messages flow", lambda: all(subscriber.payloads.values()))
    server.signal(signal.SIGSTOP)
    until("each device has sent what Mosquitto has not read", lambda: unread(server.port) >= DEVICES)
    server.kill()
    before = {name: max(subscriber.numbers(name)) for name in NAMES}
    server.start()
    restarted_ns = time.time_ns()
    until("messages flow again", lambda: all(max(subscriber.numbers(name)) > before[name] + 10 for name in NAMES))
    assert run.stop() == 143, run.tail()
    (head,), devices = run.read()
    for line in devices.values():
        open_ = [sent for sent, acked in zip(line["sent"], line["acked"], strict=True) if acked is None]
        assert all(head["began_ns"] + sent * 1e6 > restarted_ns for sent in open_), "it was sent again and not acked"
        assert line["resent"] > 0
        assert line["disconnects"] == 1
    assert run.told("disconnects") == str(DEVICES)


def test_a_storm_drops_all_connections_at_once_and_loses_nothing(
    simulator: Callable[..., Simulator], subscriber: Subscriber
) -> None:
    run = simulator("--rate", "20", "--hold", "1.5", "--storm", "1")
    assert run.run() == 0, run.tail()
    _heads, devices = run.read()
    connected = [line for line in devices.values() if line["acked"][0] < 1500]
    assert connected
    assert all(line["disconnects"] == 1 for line in connected)
    assert run.told("reason").endswith(" times: a storm was asked for")
    received_all(subscriber, devices)
    for name in NAMES:
        firsts = list(dict.fromkeys(subscriber.numbers(name)))
        assert firsts == sorted(firsts)


def test_a_burst_multiplies_what_is_sent_in_its_time(simulator: Callable[..., Simulator]) -> None:
    run = simulator("--rate", "10", "--hold", "1.5", "--burst", "0.5:8:0.5")
    assert run.run() == 0, run.tail()
    _heads, devices = run.read()
    assert all(49 <= len(line["sent"]) <= 56 for line in devices.values()), "up to 5, then 5, 40 and 5"


def test_the_share_of_bad_payloads_is_cut_and_can_be_accounted_for(
    simulator: Callable[..., Simulator], subscriber: Subscriber
) -> None:
    run = simulator("--rate", "100", "--hold", "1", "--bad", "0.1", "--run", "r.1-2")
    assert run.run() == 0, run.tail()
    _heads, devices = run.read()
    total = sum(len(line["sent"]) for line in devices.values())
    until("all was received", lambda: sum(map(len, subscriber.payloads.values())) == total)
    bad = Counter(name for name in NAMES for payload in subscriber.payloads[name] if not payload.endswith(b"}"))
    assert bad.total() == pytest.approx(total * 0.1, rel=0.25)
    for name in NAMES:
        heads = [
            re.match(rb'\{"device":"([^"]+)","seq":(\d+),"run":"r\.1-2",', payload)
            for payload in subscriber.payloads[name]
        ]
        assert [int(head[2]) for head in heads if head] == list(range(len(devices[name]["sent"])))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_its_journal(
    number: int, code: int, simulator: Callable[..., Simulator], subscriber: Subscriber
) -> None:
    run = simulator("--rate", "10", "--hold", LONG, "--workers", "2")
    run.start()
    until("messages flow", lambda: all(subscriber.payloads.values()))
    run.signal(number)
    assert run.ended() == code, run.tail()
    heads, devices = run.read()
    assert [head["aborted"] for head in heads] == [True, True]
    assert all(line["sent"] for line in devices.values())
    assert run.told("un-acked") == "0"
    received_all(subscriber, devices)
    assert all(json.loads(payloads[-1])["bye"] for payloads in subscriber.payloads.values())


def test_ctrl_c_which_reaches_the_workers_too_ends_it_with_its_journal(
    simulator: Callable[..., Simulator], subscriber: Subscriber
) -> None:
    run = simulator("--rate", "10", "--hold", LONG, "--workers", "2")
    run.command = ["setsid", *run.command]
    run.start()
    until("messages flow", lambda: all(subscriber.payloads.values()))
    os.killpg(run.pid, signal.SIGINT)
    assert run.ended() == 130, run.tail()
    heads, _devices = run.read()
    assert [head["aborted"] for head in heads] == [True, True]
    assert "Traceback" not in run.tail()


def test_without_a_parent_workers_end(simulator: Callable[..., Simulator], subscriber: Subscriber) -> None:
    run = simulator("--hold", LONG, "--rate", "100", "--workers", "2")
    run.start()
    # What a worker tells at its end is more by then than a pipe takes that nobody reads.
    until("many messages flow", lambda: sum(map(len, subscriber.payloads.values())) > MORE_THAN_A_PIPE_TAKES)
    run.kill()
    until("both have written their journals", lambda: len(list(run.journal.glob("*.jsonl"))) == 2)
    heads, _devices = run.read()
    assert [head["aborted"] for head in heads] == [True, True]
    until("both are gone", lambda: processes_of(run) == [])


def processes_of(run: Simulator) -> list[str]:
    """Return the processes that were given the journal of a run."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found += [each.parent.name] if str(run.journal) in each.read_text() else []
    return found


def test_a_device_that_is_not_let_in_is_told_with_its_reason_and_all_others_are_acknowledged(
    simulator: Callable[..., Simulator],
) -> None:
    run = simulator("--rate", "10", "--hold", "0.5", "--drain", "3")
    passwords = {**dict.fromkeys(NAMES, PASSWORD), NAMES[-1]: "wrong"}
    (run.journal.parent / "credentials.json").write_text(json.dumps({"passwords": passwords}))
    assert run.run() == 1, run.tail()
    _heads, devices = run.read()
    outside = devices.pop(NAMES[-1])
    assert (outside["sent"], outside["acked"], outside["disconnects"]) == ([], [], 0)
    assert outside["made"] >= 4
    assert all(acknowledged(line) == set(range(len(line["sent"]))) for line in devices.values())
    assert re.fullmatch(rf"(\d+): {NAMES[-1]} \(\1\)", run.told("un-acked"))
    assert run.told("devices") == f"{DEVICES}, {DEVICES - 1} connected"
    assert run.told("refused") == str(outside["refused"]) != "0"
    assert run.told("reason") == f"{outside['refused']} times: a connection was refused: not authorized"
