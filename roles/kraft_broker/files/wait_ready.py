"""Return once a node serves; kafka.service runs this after the JVM was started.

An open port does not count: Kafka opens it before it has loaded its log. A broker is ready when metadata through
its loopback listener lists the node itself, since metadata lists only brokers that the controller has unfenced
(KIP-631). A node that is a controller alone is ready when it has registered and knows a leader (KIP-919). While the
node loads its log or waits for a quorum, the time-out of systemd is extended; without progress for --patience seconds
the start fails and says so. Reasons go to the journal and to `systemctl status`.
"""

from __future__ import annotations

import argparse
import os
import socket
import struct
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kafka.protocol.admin import (
    DescribeClusterRequest,
    DescribeClusterResponse,
    DescribeQuorumRequest,
    DescribeQuorumResponse,
)
from kafka.protocol.metadata import MetadataRequest, MetadataResponse

# Versions that every Kafka 4 serves (KIP-896).
_METADATA_VERSION = 12
_QUORUM_VERSION = 1
_CLUSTER_VERSION = 1
_CONTROLLERS = 2  # what DescribeCluster is asked for (KIP-919)
_ANSWER_SECONDS = 2.0
_PROBE_SECONDS = 0.25
# What a node that recovers its log reads within seconds even from a slow card, and an idle one moves in minutes
# (127 KB a minute with this collection's settings, measured).
_PROGRESS_BYTES = 1 << 20

STARTING = "the JVM starts, its port is closed"
LOADING = "the port is open, the node loads its log and metadata"
FENCED = "the node answers, the active controller has not let it in yet"
NO_QUORUM = "waiting for a quorum: no controller leads"
READY = "ready"


@dataclass(frozen=True)
class Address:
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        host, _colon, port = text.rpartition(":")
        return cls(host.strip("[]"), int(port))


@dataclass(frozen=True)
class Node:
    """What a node is by its server.properties.

    ``address``: where it answers on the host itself. ``controllers``: all there are, none where it is the only one.
    """

    id: int
    is_broker: bool
    address: Address
    controllers: list[Address]

    @classmethod
    def read(cls, path: str) -> Node:
        """Read server.properties, which may change while the unit stays as it is.

        :raises KeyError: it lacks a key, or the listener that it needs.
        """
        lines = Path(path).read_text(encoding="utf-8").splitlines()
        keys = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
        roles = keys["process.roles"].split(",")
        is_broker = "broker" in roles
        listeners = dict(one.split("://", 1) for one in keys["listeners"].split(","))
        port = Address.parse(listeners["LOCAL" if is_broker else "CONTROLLER"]).port
        controllers = [Address.parse(one) for one in keys["controller.quorum.bootstrap.servers"].split(",")]
        alone = "controller" in roles and len(controllers) == 1
        return cls(int(keys["node.id"]), is_broker, Address("127.0.0.1", port), [] if alone else controllers)


def ask(address: Address, request: Any, response: Any, version: int) -> Any:
    """Send one Kafka request over a connection of its own.

    Own code over kafka-python's messages: its clients look for a usable broker until they find one, and here the
    question is what this one address answers now.

    :raises OSError: refused, closed, no answer in time, or none of Kafka.
    """
    with socket.create_connection((address.host, address.port), timeout=_ANSWER_SECONDS) as connection:
        connection.settimeout(_ANSWER_SECONDS)
        request.with_header(correlation_id=1, client_id="raspi-kafka-ready")
        connection.sendall(request.encode(version=version, header=True, framed=True))
        with connection.makefile("rb") as stream:
            (size,) = struct.unpack(">i", _exactly(stream.read(4), 4))
            payload = _exactly(stream.read(size), size)
    try:
        return response.decode(payload, version=version, header=True)
    except (struct.error, LookupError, TypeError, ValueError) as error:
        raise ConnectionError("the answer is none of Kafka") from error


def _exactly(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise ConnectionError("the connection was closed")
    return data


def unfenced_nodes(address: Address) -> set[int]:
    """Ids of the brokers in the cluster's metadata."""
    request = MetadataRequest(topics=[], allow_auto_topic_creation=False, version=_METADATA_VERSION)
    answer = ask(address, request, MetadataResponse, _METADATA_VERSION)
    return {broker.node_id for broker in answer.brokers or []}


def controllers_in_use(address: Address) -> set[int]:
    """Ids of the registered controllers; none where this one knows no leader."""
    request = DescribeClusterRequest(
        include_cluster_authorized_operations=False, endpoint_type=_CONTROLLERS, version=_CLUSTER_VERSION
    )
    answer = ask(address, request, DescribeClusterResponse, _CLUSTER_VERSION)
    return {one.broker_id for one in answer.brokers or []} if answer.controller_id >= 0 else set()


def leads(address: Address) -> bool:
    """Whether this controller leads the metadata quorum; only a leader answers DescribeQuorum (KIP-595)."""
    topic = DescribeQuorumRequest.TopicData
    partition = topic.PartitionData(partition_index=0)
    request = DescribeQuorumRequest(
        topics=[topic(topic_name="__cluster_metadata", partitions=[partition])], version=_QUORUM_VERSION
    )
    try:
        answer = ask(address, request, DescribeQuorumResponse, _QUORUM_VERSION)
    except OSError:
        return False
    return answer.error_code == 0 and all(one.error_code == 0 for topic in answer.topics for one in topic.partitions)


def probe(node: Node) -> str:
    """The state of the node, one of the sentences above."""
    try:
        if node.id in (unfenced_nodes if node.is_broker else controllers_in_use)(node.address):
            return READY
        state = FENCED
    except (ConnectionRefusedError, ConnectionResetError):
        state = STARTING
    except OSError:
        state = LOADING
    # Without a quorum a broker does not even open its port (Kafka 4.1), so a closed one says nothing against that.
    # Where there is no other controller, this node's own start is all there is to wait for.
    if node.controllers and not any(leads(one) for one in node.controllers):
        return NO_QUORUM
    return state


def transferred(pid: int) -> int:
    """Bytes that a process has read and written; 0 where the kernel does not tell."""
    try:
        lines = Path(f"/proc/{pid}/io").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    counters = dict(line.split(": ") for line in lines)
    return int(counters["rchar"]) + int(counters["wchar"])


class Patience:
    """Tells whether a start still makes progress.

    Progress is a new state, data read or written, or a quorum that others have to make first.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.state = ""
        self.bytes = 0
        self.since = time.monotonic()

    def saw(self, state: str, transferred_bytes: int) -> bool:
        """Note an observation; False once nothing has moved for too long."""
        moved = transferred_bytes - self.bytes >= _PROGRESS_BYTES
        if state != self.state or moved or state == NO_QUORUM:
            self.since, self.bytes = time.monotonic(), transferred_bytes
        self.state = state
        return time.monotonic() - self.since < self.seconds


def notify(text: str) -> None:
    """Send a message to systemd (sd_notify(3)); 6 lines, so that no library has to be installed for it."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.connect("\0" + path[1:] if path.startswith("@") else path)
            channel.send(text.encode())


def alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and waits for systemd does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait(pid: int, node: Node, patience: Patience) -> int:
    """Wait until the node is ready; returns the exit code."""
    while alive(pid):
        before = patience.state
        state = probe(node)
        goes_on = patience.saw(state, transferred(pid))
        if state != before:
            print(f"Kafka node {node.id}: {state}", flush=True)
        if state == READY:
            notify("STATUS=serves clients" if node.is_broker else "STATUS=is one of the controllers")
            return 0
        if not goes_on:
            print(f"<3>Kafka node {node.id} did not become ready: {state}; no progress for {patience.seconds:.0f} s")
            return 1
        notify(f"STATUS={state}\nEXTEND_TIMEOUT_USEC={int((patience.seconds + 30) * 1e6)}")
        time.sleep(_PROBE_SECONDS)
    print(f"<3>Kafka node {node.id} did not become ready: its process ended; the reason is in the lines above")
    return 1


def main() -> int:
    parser = argparse.ArgumentParser(description="Wait until a Kafka node serves.")
    parser.add_argument("--config", required=True, help="its server.properties")
    parser.add_argument("--patience", type=float, required=True, help="seconds without progress")
    options = parser.parse_args()
    return wait(int(os.environ["MAINPID"]), Node.read(options.config), Patience(options.patience))


if __name__ == "__main__":
    sys.exit(main())
