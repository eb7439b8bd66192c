from __future__ import annotations

import importlib.util
import os
import signal
import socket
import socketserver
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kafka.protocol.admin import DescribeClusterResponse, DescribeQuorumResponse
from kafka.protocol.metadata import MetadataResponse

SCRIPT = Path(__file__).parents[3] / "roles" / "kraft_broker" / "files" / "wait_ready.py"
_SPEC = importlib.util.spec_from_file_location("wait_ready", SCRIPT)
wait_ready = importlib.util.module_from_spec(_SPEC)
sys.modules["wait_ready"] = wait_ready  # its dataclass looks for its module by name
_SPEC.loader.exec_module(wait_ready)
Address, Node, Patience = wait_ready.Address, wait_ready.Node, wait_ready.Patience
STARTING, LOADING, FENCED = wait_ready.STARTING, wait_ready.LOADING, wait_ready.FENCED
NO_QUORUM, READY = wait_ready.NO_QUORUM, wait_ready.READY

METADATA, QUORUM, CLUSTER = 3, 55, 60  # API keys
NOT_LEADER = 6
MUCH = 1 << 20
SECONDS = 20


class Broker(socketserver.ThreadingTCPServer):
    """A broker or controller, as far as readiness asks it: its answers are encoded by kafka-python."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.unfenced: list[int] = []
        self.registered: list[int] = []
        self.leader = 1
        self.quorum_error = 0
        self.raw: bytes | None = None
        self.silent = False
        self.asked: list[int] = []
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def address(self) -> Any:
        return Address("127.0.0.1", self.server_address[1])

    def answer(self, key: int, version: int) -> bytes:
        if key == METADATA:
            broker = MetadataResponse.MetadataResponseBroker
            brokers = [broker(node_id=one, host="pi", port=9092, rack=None) for one in self.unfenced]
            return MetadataResponse(
                throttle_time_ms=0, brokers=brokers, cluster_id="c", controller_id=1, topics=[]
            ).encode(version=version)
        if key == CLUSTER:
            controller = DescribeClusterResponse.DescribeClusterBroker
            return DescribeClusterResponse(
                throttle_time_ms=0,
                error_code=0,
                error_message=None,
                endpoint_type=2,
                cluster_id="c",
                controller_id=self.leader,
                brokers=[controller(broker_id=one, host="pi", port=9093, rack=None) for one in self.registered],
            ).encode(version=version)
        topic = DescribeQuorumResponse.TopicData
        partition = topic.PartitionData(
            partition_index=0,
            error_code=self.quorum_error,
            leader_id=1,
            leader_epoch=1,
            high_watermark=1,
            current_voters=[],
            observers=[],
        )
        topics = [topic(topic_name="__cluster_metadata", partitions=[partition])]
        return DescribeQuorumResponse(error_code=0, error_message=None, topics=topics, nodes=[]).encode(version=version)


class _Answer(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        server: Any = self.server
        (size,) = struct.unpack(">i", self.rfile.read(4))
        key, version, correlation = struct.unpack_from(">hhi", self.rfile.read(size))
        server.asked.append(key)
        if server.silent:
            self.rfile.read()
        elif server.raw is not None:
            self.wfile.write(server.raw)
        else:
            payload = struct.pack(">iB", correlation, 0) + server.answer(key, version)
            self.wfile.write(struct.pack(">i", len(payload)) + payload)


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Short times; and a script that would wait for ever fails its test."""
    monkeypatch.setattr(wait_ready, "_ANSWER_SECONDS", 0.3)
    monkeypatch.setattr(wait_ready, "_PROBE_SECONDS", 0.02)

    def fail(*_arguments: object) -> None:
        raise AssertionError(f"this has not ended within {SECONDS} s")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker() as server:
        yield server
        server.shutdown()


@pytest.fixture
def controller() -> Iterator[Broker]:
    with Broker() as server:
        yield server
        server.shutdown()


@pytest.fixture
def closed() -> Any:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return Address("127.0.0.1", server.getsockname()[1])


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """A process that does nothing, in the place of the JVM."""
    with subprocess.Popen(["sleep", "60"]) as child:
        yield child
        child.kill()


def node(address: Any, controllers: list[Any], id: int = 1, is_broker: bool = True) -> Any:
    return Node(id, is_broker=is_broker, address=address, controllers=controllers)


# --- addresses


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("127.0.0.1:19092", "127.0.0.1", 19092), ("[::1]:9093", "::1", 9093), ("pi1:1", "pi1", 1)],
)
def test_an_address_is_a_host_and_a_port(text: str, host: str, port: int) -> None:
    assert Address.parse(text) == Address(host, port)


# --- what server.properties says of a node

PROPERTIES = """\
# process.roles=controller
process.roles={roles}
node.id=2
listeners={listeners}
controller.quorum.bootstrap.servers={controllers}
"""
LISTENERS = "CONTROLLER://0.0.0.0:9093,LOCAL://127.0.0.1:19092,LAN://0.0.0.0:9092"
THREE = "pi1:9093,pi2:9193,[fe80::1]:9093"
OTHERS = [Address("pi1", 9093), Address("pi2", 9193), Address("fe80::1", 9093)]


@pytest.mark.parametrize(
    ("roles", "listeners", "controllers", "found"),
    [
        ("broker,controller", LISTENERS, THREE, (True, 19092, OTHERS)),
        ("broker", "LOCAL://127.0.0.1:19092,LAN://0.0.0.0:9092", THREE, (True, 19092, OTHERS)),
        ("controller", "CONTROLLER://0.0.0.0:9093", THREE, (False, 9093, OTHERS)),
        ("broker,controller", LISTENERS, "127.0.0.1:9093", (True, 19092, [])),
        ("controller", "CONTROLLER://0.0.0.0:9093", "pi1:9093", (False, 9093, [])),
        ("broker", "LOCAL://127.0.0.1:19092", "pi1:9093", (True, 19092, OTHERS[:1])),
    ],
    ids=["both", "broker", "controller", "both alone", "only controller", "broker of one controller"],
)
def test_a_node_is_what_its_configuration_says(
    tmp_path: Path, roles: str, listeners: str, controllers: str, found: tuple[bool, int, list[Any]]
) -> None:
    config = tmp_path / "server.properties"
    config.write_text(PROPERTIES.format(roles=roles, listeners=listeners, controllers=controllers))
    is_broker, port, addresses = found
    assert Node.read(str(config)) == Node(2, is_broker, Address("127.0.0.1", port), addresses)


# --- the state of the broker, over real sockets


def test_a_closed_port_is_a_jvm_that_starts(closed: Any) -> None:
    assert wait_ready.probe(node(closed, [])) == STARTING


def test_a_closed_port_while_a_controller_leads_is_a_jvm_that_starts(closed: Any, controller: Broker) -> None:
    assert wait_ready.probe(node(closed, [controller.address])) == STARTING


def test_a_closed_port_while_no_controller_leads_waits_for_a_quorum(closed: Any, controller: Broker) -> None:
    controller.quorum_error = NOT_LEADER
    assert wait_ready.probe(node(closed, [controller.address])) == NO_QUORUM
    assert wait_ready.probe(node(closed, [closed])) == NO_QUORUM


def test_a_port_that_only_listens_is_a_broker_that_loads() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        began = time.monotonic()
        assert wait_ready.probe(node(Address("127.0.0.1", server.getsockname()[1]), [])) == LOADING
        assert time.monotonic() - began < 5


def test_a_broker_that_takes_the_question_and_never_answers_loads(broker: Broker) -> None:
    broker.silent = True
    assert wait_ready.probe(node(broker.address, [])) == LOADING
    assert broker.asked == [METADATA]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\0\0",
        struct.pack(">i", 100) + b"\0" * 10,
        struct.pack(">i", 0),
        struct.pack(">i", -1),
        struct.pack(">i", 5) + b"\0" * 5,
        struct.pack(">i", 30) + b"\0" * 30,
        struct.pack(">i", 40) + b"\xff" * 40,
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ],
)
def test_an_answer_that_is_none_is_never_taken_for_readiness(broker: Broker, answer: bytes) -> None:
    broker.raw = answer
    assert wait_ready.probe(node(broker.address, [], id=0)) in (LOADING, FENCED)


@pytest.mark.parametrize("unfenced", [[1], [3, 2, 1]])
def test_a_broker_that_metadata_lists_is_ready(broker: Broker, unfenced: list[int]) -> None:
    broker.unfenced = unfenced
    assert wait_ready.probe(node(broker.address, [])) == READY


@pytest.mark.parametrize("unfenced", [[], [2], [11, 10]])
def test_a_broker_that_metadata_does_not_list_is_fenced(broker: Broker, unfenced: list[int]) -> None:
    broker.unfenced = unfenced
    assert wait_ready.probe(node(broker.address, [])) == FENCED


def test_a_fenced_broker_whose_controllers_do_not_lead_waits_for_a_quorum(broker: Broker, controller: Broker) -> None:
    controller.quorum_error = NOT_LEADER
    assert wait_ready.probe(node(broker.address, [controller.address])) == NO_QUORUM
    assert controller.asked == [QUORUM]


def test_a_loading_broker_whose_controllers_are_gone_or_silent_waits_for_a_quorum(
    broker: Broker, controller: Broker, closed: Any
) -> None:
    broker.silent = controller.silent = True
    assert wait_ready.probe(node(broker.address, [closed, controller.address])) == NO_QUORUM


def test_one_controller_that_leads_is_a_quorum(broker: Broker, controller: Broker, closed: Any) -> None:
    assert wait_ready.probe(node(broker.address, [closed, controller.address])) == FENCED


def test_a_broker_in_the_metadata_is_ready_whatever_controllers_say(broker: Broker, controller: Broker) -> None:
    broker.unfenced, controller.quorum_error = [1], NOT_LEADER
    assert wait_ready.probe(node(broker.address, [controller.address])) == READY


# --- the state of a controller alone


def test_a_controller_that_has_registered_with_a_leader_is_ready(controller: Broker) -> None:
    controller.registered = [1, 2]
    assert wait_ready.probe(node(controller.address, [], id=2, is_broker=False)) == READY
    assert controller.asked == [CLUSTER]


def test_a_controller_that_has_not_registered_is_not_ready(controller: Broker) -> None:
    controller.registered, controller.unfenced = [1], [2]
    assert wait_ready.probe(node(controller.address, [controller.address], id=2, is_broker=False)) == FENCED


def test_a_controller_that_knows_no_leader_is_not_ready_though_it_was_registered(controller: Broker) -> None:
    controller.registered, controller.leader, controller.quorum_error = [1, 2], -1, NOT_LEADER
    assert wait_ready.probe(node(controller.address, [controller.address], id=2, is_broker=False)) == NO_QUORUM


# --- patience


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The time of wait_ready: it stands still until a test moves it."""
    now = SimpleNamespace(seconds=1000.0)
    monkeypatch.setattr(wait_ready, "time", SimpleNamespace(monotonic=lambda: now.seconds, sleep=lambda _seconds: None))
    return now


def test_patience_ends_when_nothing_moves_for_its_seconds(clock: SimpleNamespace) -> None:
    patience = Patience(10)
    assert patience.saw(LOADING, 0)
    clock.seconds += 9.9
    assert patience.saw(LOADING, 0)
    clock.seconds += 0.2
    assert not patience.saw(LOADING, 0)


def test_a_process_that_never_does_anything_has_its_seconds_from_the_start(clock: SimpleNamespace) -> None:
    patience = Patience(10)
    patience.saw(STARTING, 0)
    clock.seconds += 11
    assert not patience.saw(STARTING, 0)


def test_a_new_state_is_progress(clock: SimpleNamespace) -> None:
    patience = Patience(10)
    for state in (STARTING, LOADING, FENCED):
        assert patience.saw(state, 0)
        clock.seconds += 9
        assert patience.saw(state, 0)
        clock.seconds += 9


def test_bytes_that_move_are_progress_for_as_long_as_they_do(clock: SimpleNamespace) -> None:
    patience = Patience(10)
    for number in range(100):
        assert patience.saw(LOADING, number * MUCH)
        clock.seconds += 9
    clock.seconds += 2
    assert not patience.saw(LOADING, 99 * MUCH)


def test_a_slow_card_makes_progress_over_several_looks(clock: SimpleNamespace) -> None:
    patience = Patience(10)
    for number in range(100):
        assert patience.saw(LOADING, number * MUCH // 8)
        clock.seconds += 1


def test_the_few_bytes_of_an_idle_process_are_no_progress(clock: SimpleNamespace) -> None:
    patience = Patience(10)
    answers = []
    for number in range(20):
        answers.append(patience.saw(FENCED, MUCH + number * 500))
        clock.seconds += 1
    assert answers == [True] * 10 + [False] * 10


def test_waiting_for_a_quorum_is_never_lack_of_progress(clock: SimpleNamespace) -> None:
    patience = Patience(10)
    for _attempt in range(100):
        assert patience.saw(NO_QUORUM, 0)
        clock.seconds += 3600


def test_patience_begins_anew_once_the_quorum_is_there(clock: SimpleNamespace) -> None:
    patience = Patience(10)
    patience.saw(NO_QUORUM, 0)
    clock.seconds += 3600
    assert patience.saw(FENCED, 0)
    clock.seconds += 11
    assert not patience.saw(FENCED, 0)


# --- the process


def test_a_running_process_is_alive_and_its_bytes_are_counted() -> None:
    before = wait_ready.transferred(os.getpid())
    SCRIPT.read_bytes()
    assert wait_ready.alive(os.getpid())
    assert wait_ready.transferred(os.getpid()) - before >= SCRIPT.stat().st_size


def test_a_process_that_ended_is_not_alive_even_while_nobody_has_waited_for_it() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        assert wait_ready.alive(child.pid)
        child.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not wait_ready.alive(child.pid)
    assert not wait_ready.alive(child.pid)
    assert wait_ready.transferred(child.pid) == 0


def test_a_name_with_blanks_and_brackets_does_not_hide_the_state(tmp_path: Path) -> None:
    program = tmp_path / "a) Z (b"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([str(program), "60"]) as child:
        try:
            assert wait_ready.alive(child.pid)
        finally:
            child.kill()


# --- systemd


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What systemd was told; it reads at once, since the queue of such a socket is short."""
    told: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        reader = threading.Thread(target=lambda: told.extend(iter(lambda: channel.recv(4096).decode(), "end")))
        reader.start()
        yield told
        wait_ready.notify("end")
        reader.join(5)


def test_systemd_hears_over_an_abstract_socket_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(f"\0raspi-kafka-test-{os.getpid()}")
        monkeypatch.setenv("NOTIFY_SOCKET", f"@raspi-kafka-test-{os.getpid()}")
        channel.settimeout(5)
        wait_ready.notify("STATUS=x")
        assert channel.recv(4096) == b"STATUS=x"


def test_without_systemd_nobody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    wait_ready.notify("STATUS=x")


# --- waiting


def test_waiting_ends_well_only_once_the_broker_is_listed(
    broker: Broker, process: subprocess.Popen[bytes], systemd: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    threading.Timer(0.5, broker.unfenced.append, [1]).start()
    began = time.monotonic()
    assert wait_ready.wait(process.pid, node(broker.address, []), Patience(20)) == 0
    assert time.monotonic() - began >= 0.5
    assert capsys.readouterr().out.splitlines() == [f"Kafka node 1: {FENCED}", f"Kafka node 1: {READY}"]
    deadline = time.monotonic() + 5
    while "STATUS=serves clients" not in systemd and time.monotonic() < deadline:
        time.sleep(0.01)
    assert systemd[-1] == "STATUS=serves clients"
    assert set(systemd[:-1]) == {f"STATUS={FENCED}\nEXTEND_TIMEOUT_USEC=50000000"}


def test_systemd_says_of_a_controller_alone_that_it_is_one(
    controller: Broker, process: subprocess.Popen[bytes], systemd: list[str]
) -> None:
    controller.registered = [1]
    assert wait_ready.wait(process.pid, node(controller.address, [], is_broker=False), Patience(20)) == 0
    deadline = time.monotonic() + 5
    while not systemd and time.monotonic() < deadline:
        time.sleep(0.01)
    assert systemd == ["STATUS=is one of the controllers"]


def test_waiting_ends_with_a_reason_when_nothing_moves(
    broker: Broker, process: subprocess.Popen[bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    assert wait_ready.wait(process.pid, node(broker.address, []), Patience(1)) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"<3>Kafka node 1 did not become ready: {FENCED}; no progress for 1 s"


def test_waiting_for_a_quorum_outlives_patience(
    broker: Broker, controller: Broker, process: subprocess.Popen[bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    controller.quorum_error = NOT_LEADER
    threading.Timer(1.0, broker.unfenced.append, [1]).start()
    assert wait_ready.wait(process.pid, node(broker.address, [controller.address]), Patience(0.2)) == 0
    assert f"Kafka node 1: {NO_QUORUM}" in capsys.readouterr().out


def test_waiting_ends_when_the_process_does(
    broker: Broker, process: subprocess.Popen[bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    threading.Timer(0.3, process.kill).start()
    began = time.monotonic()
    assert wait_ready.wait(process.pid, node(broker.address, []), Patience(60)) == 1
    assert time.monotonic() - began < 10
    assert "its process ended" in capsys.readouterr().out.splitlines()[-1]
