"""Make the archives of loaded classes (CDS) with which the broker and Kafka's tools start faster on this host.

    make_cds.py [--check] --java JAVA --libs DIRECTORY --broker-flags FLAGS --tool-flags FLAGS

raspi-kafka-cds.service runs it after each start of Kafka, the role before the first; of two at once, one waits.

What fits is left alone. Else a broker of its own runs for some seconds below /opt/kafka/cds, on loopback and without
anything of the real one: it takes a few records, a tool asks it, and both JVMs write down their classes as they end.
Three JVMs, one after the other but for the tool. Prints `fits`, `made ...` or, with --check, `to be made`; a failure
is a sentence on stderr, and leaves no archive.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import fcntl
import json
import logging
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError
from wait_ready import READY, Address, Node, probe

ARCHIVES = Path("/opt/kafka/cds")
USER = "kafka"
NAMES = ("broker", "tools")
# Emulated arm64, ten times slower than a Pi 4, took 50 s to start a broker; the dump takes about as long.
_LIMIT_SECONDS = 900.0
# Measured: 380 MB for the scratch broker as it writes its archive, 420 MB for both JVMs a moment earlier. The archives
# take 76 MB, twice while they are copied.
_MEMORY_MB = 450
_DISK_MB = 300
# Small, since the real broker may run beside it. An archive fits other heaps and collectors too (JDK 17, measured).
_HEAP = "-Xmx128m"
_ENDS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
_NODE_ID = 1
_TOPIC = "warm-up"
_PROPERTIES = f"""\
process.roles=broker,controller
node.id={_NODE_ID}
listeners=CONTROLLER://127.0.0.1:{{controller}},LOCAL://127.0.0.1:{{local}}
advertised.listeners=LOCAL://127.0.0.1:{{local}}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,LOCAL:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=LOCAL
controller.quorum.bootstrap.servers=127.0.0.1:{{controller}}
log.dirs={{data}}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=8388608
"""


class CannotMakeError(Exception):
    """Why there is no archive, as the end of a sentence."""


def fitting_directory(java: str) -> Path:
    """Where archives for this Java, release and kernel are kept; one place knows, with_cds.sh."""
    command = ["/bin/sh", str(Path(__file__).parent / "with_cds.sh"), java]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise CannotMakeError(f"this Java has no archive of its own to build on: {done.stderr.strip()}")
    return Path(done.stdout.strip())


def complete(directory: Path) -> bool:
    """Whether both archives are there with the sizes that their names tell."""
    files = [path for name in NAMES for path in directory.glob(f"{name}.jsa.*")]
    return len(files) == len(NAMES) and all(path.suffix == f".{path.stat().st_size}" for path in files)


def refuse_scarcity(meminfo: str, free_disk: int) -> None:
    """Leave memory and disk to the broker. `meminfo` is /proc/meminfo, `free_disk` in bytes."""
    match = re.search(r"^MemAvailable: +([0-9]+) kB", meminfo, re.MULTILINE)
    memory = int(match[1]) // 1024 if match else _MEMORY_MB
    if memory < _MEMORY_MB:
        raise CannotMakeError(f"{memory} MiB of memory are available, {_MEMORY_MB} are needed")
    if free_disk >> 20 < _DISK_MB:
        raise CannotMakeError(f"{free_disk >> 20} MiB are free below /opt/kafka, {_DISK_MB} are needed")


class Jvms:
    """JVMs of a user; none outlives the block, nor this program however it ends.

    What is written for them and about them is in `directory`, what they write in `own` below it: root never writes
    where that user could put a link.
    """

    def __init__(self, java: str, libs: str, directory: Path, user: str | None = USER) -> None:
        self.java, self.class_path, self.directory, self.user = java, f"{libs}/*", directory, user
        self.own = directory / "own"
        self.deadline = time.monotonic() + _LIMIT_SECONDS
        self.running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Jvms:
        self.own.mkdir(mode=0o700, parents=True)
        if self.user:
            shutil.chown(self.own, self.user, self.user)
        return self

    def __exit__(self, *_error: object) -> None:
        for process in self.running:
            process.kill()
            process.wait()

    def start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start one; what it says goes to NAME.log. A broker that serves clients meanwhile goes first."""
        mortal = ["setpriv", "--pdeathsig", "KILL", "nice"]
        command = [*mortal, self.java, f"-Djava.io.tmpdir={self.own}", "-cp", self.class_path, *arguments]
        owner = {"user": self.user, "group": self.user, "extra_groups": []} if self.user else {}
        with self.log(name).open("wb") as log:
            process = subprocess.Popen(
                command, cwd=self.own, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, **owner
            )
        self.running.append(process)
        return process

    def finish(self, name: str, process: subprocess.Popen[bytes], *good: int) -> None:
        """Wait for its end."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, self.deadline - time.monotonic()))
        if process.returncode not in good:
            raise CannotMakeError(self.why(name, process))

    def why(self, name: str, process: subprocess.Popen[bytes]) -> str:
        """What a JVM says of its end, without its notes on classes that it leaves out."""
        if process.poll() is None:
            return f"the {name} JVM has not ended within {_LIMIT_SECONDS:.0f} s"
        lines = self.log(name).read_text(encoding="utf-8", errors="replace").splitlines()
        said = [line.strip() for line in lines if line.strip() and "[warning][cds" not in line]
        return f"the {name} JVM ended with {process.returncode}: {' | '.join(said[-3:]) or 'it said nothing'}"

    def log(self, name: str) -> Path:
        return self.directory / f"{name}.log"


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody has now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _number in range(count)]
        return [one.getsockname()[1] for one in sockets]


def exchange(bootstrap: str) -> None:
    """Let a broker do once what it does all day: a topic, records, a group that reads and commits."""
    options = {"bootstrap_servers": [bootstrap], "client_id": "raspi-kafka-cds", "request_timeout_ms": 60000}
    with contextlib.closing(KafkaAdminClient(**options)) as admin:
        admin.create_topics({_TOPIC: {"num_partitions": 2, "replication_factor": 1}})
    with contextlib.closing(KafkaProducer(acks="all", **options)) as producer:
        for number in range(50):
            producer.send(_TOPIC, key=b"%d" % number, value=b'{"temperature": 20.1}')
        producer.flush(60)
    reader = KafkaConsumer(_TOPIC, group_id=_TOPIC, auto_offset_reset="earliest", **options)
    with contextlib.closing(reader) as consumer:
        deadline, seen = time.monotonic() + 60, 0
        while seen < 50 and time.monotonic() < deadline:
            seen += sum(map(len, consumer.poll(1000).values()))
        consumer.commit()


def await_broker(jvms: Jvms, process: subprocess.Popen[bytes], port: int) -> None:
    """Wait until it serves clients."""
    node = Node(_NODE_ID, is_broker=True, address=Address("127.0.0.1", port), controllers=[])
    while probe(node) != READY:
        if process.poll() is not None or time.monotonic() > jvms.deadline:
            raise CannotMakeError(jvms.why("broker", process))
        time.sleep(0.25)


def dump(jvms: Jvms, broker_flags: list[str], tool_flags: list[str]) -> None:
    """Run a broker and a tool; each leaves NAME.jsa in `own` as it ends."""
    local, controller = free_ports(2)
    properties = jvms.directory / "server.properties"
    data = jvms.own / "data"
    properties.write_text(_PROPERTIES.format(local=local, controller=controller, data=data), encoding="utf-8")
    properties.chmod(0o644)
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    storage_tool = ["kafka.tools.StorageTool", "format", f"--cluster-id={cluster_id}", "-c", str(properties)]
    jvms.finish("format", jvms.start("format", *tool_flags, *storage_tool, "--standalone"), 0)

    keep = f"-XX:ArchiveClassesAtExit={jvms.own}"
    broker = jvms.start("broker", *broker_flags, _HEAP, f"{keep}/broker.jsa", "kafka.Kafka", str(properties))
    await_broker(jvms, broker, local)
    exchange(f"127.0.0.1:{local}")
    topics = ["org.apache.kafka.tools.TopicCommand", "--bootstrap-server", f"127.0.0.1:{local}", "--describe"]
    jvms.finish("tool", jvms.start("tool", *tool_flags, f"{keep}/tools.jsa", *topics), 0)
    broker.send_signal(signal.SIGTERM)
    jvms.finish("broker", broker, 0, 128 + signal.SIGTERM, -signal.SIGTERM)


def adopt(source: Path, directory: Path) -> None:
    """Copy an archive that a JVM wrote as user kafka: from here on it is root's, and it is on the disk."""
    try:
        # Neither a link is followed, nor is a pipe waited for.
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise CannotMakeError(f"a JVM ended without writing {source.name}") from error
    with open(descriptor, "rb") as archive:
        found = os.stat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise CannotMakeError(f"{source.name} is no file")
        target = directory / f"{source.name}.{found.st_size}"
        with target.open("xb") as copy:
            shutil.copyfileobj(archive, copy, 1 << 20)
            copy.flush()
            os.fsync(copy.fileno())
    target.chmod(0o644)


def sync(directory: Path) -> None:
    """Write the names in a directory to the disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def alone(archives: Path) -> Iterator[None]:
    """Wait until no other run makes archives."""
    archives.mkdir(mode=0o755, parents=True, exist_ok=True)
    descriptor = os.open(archives, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def staging(archives: Path) -> Iterator[Path]:
    """A directory that is gone after the block unless it has got its final name; those of killed runs go too."""
    for left in archives.glob(".new-*"):
        shutil.rmtree(left, ignore_errors=True)
    directory = Path(tempfile.mkdtemp(prefix=".new-", dir=archives))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def make(target: Path, java: str, libs: str, broker_flags: list[str], tool_flags: list[str]) -> None:
    """Fill the directory `target`, under another name first, and remove those of other releases and Javas."""
    archives = target.parent
    with staging(archives) as new:
        with Jvms(java, libs, new / "scratch") as jvms:
            dump(jvms, broker_flags, tool_flags)
        for name in NAMES:
            adopt(jvms.own / f"{name}.jsa", new)
        shutil.rmtree(jvms.directory)
        sync(new)
        for old in archives.iterdir():
            if old != new:
                shutil.rmtree(old, ignore_errors=True)
        new.rename(target)
        sync(archives)


def stop(_number: int, _frame: object) -> None:
    """Treat SIGTERM and a lost connection as a failure, so that all is cleaned up; no second one cuts that off."""
    for number in _ENDS:
        signal.signal(number, signal.SIG_IGN)
    raise CannotMakeError("the run was interrupted")


def main() -> int:
    parser = argparse.ArgumentParser(description="Make the CDS archives of this host.")
    parser.add_argument("--check", action="store_true", help="say what would be done")
    parser.add_argument("--java", required=True)
    parser.add_argument("--libs", required=True, help="directory of Kafka's jars, as the unit names it")
    parser.add_argument("--broker-flags", type=str.split, required=True)
    parser.add_argument("--tool-flags", type=str.split, required=True)
    options = parser.parse_args()
    logging.getLogger("kafka").addHandler(logging.NullHandler())
    for number in _ENDS:
        signal.signal(number, stop)
    os.umask(0o022)
    began = time.monotonic()
    try:
        target = fitting_directory(options.java)
        if complete(target):
            print("fits")
            return 0
        if options.check:
            print("to be made")
            return 0
        with alone(ARCHIVES):
            if complete(target):
                print("fits")
                return 0
            refuse_scarcity(Path("/proc/meminfo").read_text(encoding="ascii"), shutil.disk_usage("/opt/kafka").free)
            make(target, options.java, options.libs, options.broker_flags, options.tool_flags)
    except (CannotMakeError, KafkaError, OSError, subprocess.SubprocessError) as error:
        print(f"{error}", file=sys.stderr)
        return 1
    sizes = {path.name.partition(".")[0]: f"{path.stat().st_size >> 20} MiB" for path in target.iterdir()}
    print(f"made in {time.monotonic() - began:.0f} s: {json.dumps(sizes)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
