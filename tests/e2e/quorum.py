"""Real KRaft nodes out of the release archive, each broker and controller in one, on ports of the loopback.

with Nodes(tmp_path, class_path) as nodes:
    nodes.start(1, 2, 3)
    nodes.wait_until_serving(1, 2, 3)
    ... nodes.servers ... nodes.kill(1) ...
"""

from __future__ import annotations

import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.module_utils._kafka import is_open, send
from ansible_collections.raspi.kafka.plugins.modules.kraft_format import new_cluster_id
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError
from kafka.protocol.admin import DescribeClusterRequest

from .conftest import SECONDS_TO_START, free_ports, java, stop, storage_tool, wait_for

JVM = ("-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
PROPERTIES = """\
process.roles=broker,controller
node.id={node_id}
{quorum}
listeners=LAN://{lan},CONTROLLER://{controller}
advertised.listeners=LAN://{lan},CONTROLLER://{controller}
listener.security.protocol.map=LAN:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=LAN
controller.listener.names=CONTROLLER
controller.quorum.fetch.timeout.ms=5000
broker.session.timeout.ms=6000
initial.broker.registration.timeout.ms=600000
log.dirs={data}
log.cleaner.dedupe.buffer.size=4194304
auto.create.topics.enable=false
default.replication.factor={replicas}
min.insync.replicas={min_isr}
offsets.topic.replication.factor={replicas}
offsets.topic.num.partitions=2
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={min_isr}
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={min_isr}
group.initial.rebalance.delay.ms=0
{more}
"""


@dataclass
class Nodes:
    """The nodes 1 to `count` of one cluster with a dynamic quorum (KIP-853); formatted on entry, ended on exit.

    Node 1 alone is a voter and the others observers; with `all_voters` each is a voter from the beginning, and with
    `static` so in a quorum that cannot change (kraft.version 0). `more` is appended to each server.properties.
    """

    root: Path
    class_path: str
    count: int = 3
    all_voters: bool = False
    static: bool = False
    more: str = ""
    cluster_id: str = field(default_factory=new_cluster_id)
    processes: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ports = [f"127.0.0.1:{port}" for port in free_ports(2 * self.count)]
        self.ids = range(1, self.count + 1)
        self._lan = dict(zip(self.ids, ports[::2], strict=True))
        self._controller = dict(zip(self.ids, ports[1::2], strict=True))
        self._directory_ids = {node: new_cluster_id() for node in self.ids}

    def serve(self, topics: dict[str, dict[str, Any]]) -> None:
        """Start all nodes, and make topics as create_topics() takes them."""
        self.start(*self.ids)
        self.wait_until_serving(*self.ids)
        with self.admin() as admin:
            admin.create_topics(topics, wait_for_metadata=True)

    def __enter__(self) -> Nodes:
        for node in self.ids:
            self._write_properties(node)
        with ThreadPoolExecutor() as pool:
            list(pool.map(self.format, self.ids))
        return self

    def __exit__(self, *exception: object) -> None:
        self.kill(*self.processes)
        for node in self.ids:
            shutil.rmtree(self._home(node), ignore_errors=True)

    @property
    def servers(self) -> list[str]:
        """The LAN listener of each node, whether it runs or not: what a client takes for bootstrap servers."""
        return list(self._lan.values())

    def server(self, node: int) -> str:
        """host:port of a node's LAN listener."""
        return self._lan[node]

    def controller(self, node: int) -> str:
        """host:port of a node's CONTROLLER listener."""
        return self._controller[node]

    def controller_port(self, node: int) -> int:
        return int(self._controller[node].rsplit(":", 1)[1])

    def data(self, node: int) -> Path:
        """The one log directory of a node."""
        return self._home(node) / "data"

    def directory_id(self, node: int) -> str:
        """The id of a node's log directory, in the way that Kafka writes it."""
        lines = (self.data(node) / "meta.properties").read_text().splitlines()
        return next(line.partition("=")[2] for line in lines if line.startswith("directory.id="))

    def format(self, node: int) -> None:
        """Format the log directory of a node as a member of this quorum."""
        how = ["--no-initial-controllers"]
        if self.all_voters:
            how = ["--initial-controllers", ",".join(map(self._initial_controller, self.ids))]
        elif self.static:
            how = []
        elif node == 1:
            how = ["--standalone"]
        storage_tool(self.class_path, "format", "-t", self.cluster_id, "-c", str(self._properties(node)), *how)

    def replace_disk(self, node: int) -> None:
        """Lose the log directory of a node that does not run, and format an empty one that joins the quorum."""
        shutil.rmtree(self.data(node))
        arguments = ("-t", self.cluster_id, "-c", str(self._properties(node)), "--no-initial-controllers")
        storage_tool(self.class_path, "format", *arguments)

    def start(self, *nodes: int) -> None:
        """Start some nodes, and wait until each listens; see wait_until_serving()."""
        for node in nodes:
            with self.log(node).open("ab") as output:
                command = ["java", *JVM, "-cp", self.class_path, "kafka.Kafka", str(self._properties(node))]
                self.processes[node] = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        for node in nodes:
            wait_for(self.controller(node), self.processes[node], self.log(node))

    def kill(self, *nodes: int) -> None:
        """End some nodes at once by SIGKILL, as a loss of power does."""
        for node in nodes:
            self.processes[node].kill()
        for node in nodes:
            self.processes.pop(node).wait()

    def stop(self, *nodes: int) -> None:
        """End some nodes in order, one after another."""
        for node in nodes:
            stop(self.processes.pop(node))

    def unregister(self, node: int) -> None:
        """Let the others forget a broker that is down for ever."""
        arguments = ["unregister", "--bootstrap-server", self.servers[0], "--id", str(node)]
        command = java(self.class_path, "org.apache.kafka.tools.ClusterTool", *arguments)
        subprocess.run(command, check=True, capture_output=True, timeout=60)

    def wait_until_serving(self, *nodes: int, seconds: float = SECONDS_TO_START) -> None:
        """Wait until each of some nodes is a broker that is not fenced, as itself says."""
        end = time.monotonic() + seconds
        for node in nodes:
            while node not in self.unfenced(node):
                assert self.processes[node].poll() is None, f"node {node} ended: {self.tail(node)}"
                if time.monotonic() > end:
                    pytest.fail(f"node {node} does not serve within {seconds} s: {self.tail(node)}")
                time.sleep(0.2)

    def unfenced(self, asked: int) -> set[int]:
        """The brokers that are not fenced, as one node says; none where it does not answer."""
        if not is_open(self.server(asked)):
            return set()
        try:
            with self.admin(asked) as admin:
                answer = send(admin, DescribeClusterRequest(include_fenced_brokers=True, min_version=2), asked)
        except (KafkaError, OSError):
            return set()
        return {broker.broker_id for broker in answer.brokers if not broker.is_fenced}

    def admin(self, *asked: int) -> KafkaAdminClient:
        """A client of some nodes, of all if none is named; close it, or use it in a with statement."""
        servers = [self.server(node) for node in asked or self.ids]
        return KafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=5000, bootstrap_timeout_ms=5000)

    def log(self, node: int) -> Path:
        return self._home(node) / "node.log"

    def tail(self, node: int) -> str:
        return self.log(node).read_text()[-3000:]

    def _home(self, node: int) -> Path:
        return self.root / f"node-{node}"

    def _properties(self, node: int) -> Path:
        return self._home(node) / "server.properties"

    def _initial_controller(self, node: int) -> str:
        return f"{node}@{self.controller(node)}:{self._directory_ids[node]}"

    def _quorum(self) -> str:
        if self.static:
            voters = (f"{node}@{self.controller(node)}" for node in self.ids)
            return f"controller.quorum.voters={','.join(voters)}"
        return f"controller.quorum.bootstrap.servers={','.join(self._controller.values())}"

    def _write_properties(self, node: int) -> None:
        self._home(node).mkdir(parents=True)
        replicas = min(3, self.count)
        text = PROPERTIES.format(
            node_id=node,
            quorum=self._quorum(),
            lan=self.server(node),
            controller=self.controller(node),
            data=self.data(node),
            replicas=replicas,
            min_isr=max(1, replicas - 1),
            more=self.more,
        )
        self._properties(node).write_text(text)
