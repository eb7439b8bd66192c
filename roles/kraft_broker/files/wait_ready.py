"""Return once a broker serves clients; kafka.service runs this after the JVM was started.

An open port does not count: Kafka opens it before it has loaded its log. The broker is ready when metadata through
its loopback listener lists the node itself, since metadata lists only brokers that the controller has unfenced
(KIP-631). While the node loads its log or waits for a quorum, the time-out of systemd is extended; without progress
for --patience seconds the start fails and says so. Reasons go to the journal and to `systemctl status`.
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

from kafka.protocol.admin import DescribeQuorumRequest, DescribeQuorumResponse
from kafka.protocol.metadata import MetadataRequest, MetadataResponse

# Versions that every Kafka 4 serves (KIP-896).
_METADATA_VERSION = 12
_QUORUM_VERSION = 1
_ANSWER_SECONDS = 2.0
_PROBE_SECONDS = 0.25
# What a node that recovers its log reads within seconds even from a slow card, and an idle one moves in minutes
# (127 KB a minute with this collection's settings, measured).
_PROGRESS_BYTES = 1 << 20

STARTING = "the JVM starts, its port is closed"
LOADING = "the port is open, the broker loads its log and metadata"
FENCED = "the broker answers, the controller has not unfenced it yet"
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


def probe(bootstrap: Address, node_id: int, controllers: list[Address]) -> str:
    """The state of the broker, one of the sentences above."""
    try:
        if node_id in unfenced_nodes(bootstrap):
            return READY
        state = FENCED
    except (ConnectionRefusedError, ConnectionResetError):
        state = STARTING
    except OSError:
        state = LOADING
    # Without a quorum a broker does not even open its port (Kafka 4.1), so a closed one says nothing against that.
    if controllers and not any(leads(one) for one in controllers):
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


def wait(pid: int, bootstrap: Address, node_id: int, controllers: list[Address], patience: Patience) -> int:
    """Wait until the broker is ready; returns the exit code."""
    while alive(pid):
        before = patience.state
        state = probe(bootstrap, node_id, controllers)
        goes_on = patience.saw(state, transferred(pid))
        if state != before:
            print(f"Kafka node {node_id}: {state}", flush=True)
        if state == READY:
            notify("STATUS=serves clients")
            return 0
        if not goes_on:
            print(f"<3>Kafka node {node_id} did not become ready: {state}; no progress for {patience.seconds:.0f} s")
            return 1
        notify(f"STATUS={state}\nEXTEND_TIMEOUT_USEC={int((patience.seconds + 30) * 1e6)}")
        time.sleep(_PROBE_SECONDS)
    print(f"<3>Kafka node {node_id} did not become ready: its process ended; the reason is in the lines above")
    return 1


def main() -> int:
    parser = argparse.ArgumentParser(description="Wait until a Kafka broker serves clients.")
    parser.add_argument("--bootstrap", type=Address.parse, required=True, help="loopback listener of the broker")
    parser.add_argument("--node-id", type=int, required=True)
    parser.add_argument(
        "--controllers",
        type=Address.parse,
        nargs="*",
        default=[],
        help="controllers, where this node is not the only one",
    )
    parser.add_argument("--patience", type=float, required=True, help="seconds without progress")
    options = parser.parse_args()
    pid = int(os.environ["MAINPID"])
    return wait(pid, options.bootstrap, options.node_id, options.controllers, Patience(options.patience))


if __name__ == "__main__":
    sys.exit(main())
