"""A broker as Kafka's own script and configuration start it, on the same host, with records of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tests.hosts import host

from .pi import CLASS_PATH, JVM, root

UNIT = "bench-stock.service"
PORT = 9092
FOLDER = "/var/lib/kafka-bench"
# config/server.properties of Kafka 4.1, but for the place of the records.
PROPERTIES = f"""\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:9093
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
inter.broker.listener.name=PLAINTEXT
advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
socket.request.max.bytes=104857600
log.dirs={FOLDER}/data
num.partitions=1
num.recovery.threads.per.data.dir=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
log.retention.hours=168
log.segment.bytes=1073741824
log.retention.check.interval.ms=300000
"""
# The flags of kafka-server-start.sh; its shell and the JVM that it asks for its version are left out, in its favour.
SERVICE = f"""\
[Service]
User=kafka
WorkingDirectory={FOLDER}
ExecStart=/usr/bin/java -Xmx1G -Xms1G {JVM} -Xlog:gc*:file={FOLDER}/gc.log:time,tags:filecount=10,filesize=100M \
 -Dlog4j2.level=INFO {CLASS_PATH} kafka.Kafka {FOLDER}/server.properties
SuccessExitStatus=143
"""


@contextlib.contextmanager
def installed(pi: host.Host) -> Iterator[None]:
    """Our broker stands still meanwhile; afterwards nothing of the other one is left."""
    tool = f"/usr/bin/java {CLASS_PATH} kafka.tools.StorageTool"
    try:
        root(pi, f"systemctl stop kafka; mkdir -p {FOLDER}; cat > {FOLDER}/server.properties <<'END'\n{PROPERTIES}END")
        root(pi, f"cat > /run/systemd/system/{UNIT} <<'END'\n{SERVICE}END\nsystemctl daemon-reload")
        root(pi, f"{tool} format -t $({tool} random-uuid) -c {FOLDER}/server.properties --standalone")
        root(pi, f"chown -R kafka: {FOLDER}")
        yield
    finally:
        root(pi, f"systemctl stop {UNIT}; rm -rf /run/systemd/system/{UNIT} {FOLDER}; systemctl daemon-reload")
        root(pi, "systemctl start kafka")
