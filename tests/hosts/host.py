"""Hosts made of that image: a network, containers that boot, an inventory for them."""

import contextlib
import json
import re
import shutil
import subprocess
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from . import archive, cache, emulation, engine, image, inventory, package
from .step import Failure, run, step, tell

USER = "pi"
LABEL = "raspi.kafka.hosts"
SECONDS_TO_BOOT = 120
SUBNETS = IPv4Network("198.18.0.0/16")  # set aside for benchmarks (RFC 2544): nobody's home network
# What systemd needs where --privileged is refused. The host's cgroup namespace lets it make cgroups of its own.
BOOT = [
    *("--cap-add", "SYS_ADMIN", "--cap-add", "NET_ADMIN"),
    *("--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"),
    *("--tmpfs", "/run", "--tmpfs", "/run/lock"),
    *("--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw", "--cgroupns", "host", "--stop-signal", "SIGRTMIN+3"),
]


@dataclass(frozen=True)
class Host:
    """One stand-in."""

    container: str
    name: str
    address: str

    def variables(self, directory: Path) -> dict[str, str]:
        """Return the inventory variables by which Ansible reaches it."""
        options = f"-o UserKnownHostsFile={directory / 'known_hosts'} -o StrictHostKeyChecking=accept-new"
        return {
            "ansible_host": self.address,
            "ansible_user": USER,
            "ansible_ssh_private_key_file": str(key()),
            "ansible_ssh_common_args": f"'{options} -o IdentitiesOnly=yes'",
        }

    def ssh(self, directory: Path, *command: str) -> list[str]:
        """Return the command that logs in."""
        options = ["UserKnownHostsFile=" + str(directory / "known_hosts"), "StrictHostKeyChecking=accept-new"]
        flags = [word for option in [*options, "IdentitiesOnly=yes"] for word in ("-o", option)]
        return ["ssh", "-i", str(key()), *flags, f"{USER}@{self.address}", *command]


def up(
    name: str,
    count: int = 1,
    suite: str = image.SUITE,
    arch: str = emulation.NATIVE,
    example: Path = inventory.EXAMPLE,
    *,
    kafka_only: bool = False,
) -> Path:
    """Boot the hosts that do not run yet, and return the inventory's path; `kafka_only` spares them the MQTT side."""
    refuse_bad_name(name)
    refuse_bad_path(cache.directory())
    tag = image.build(suite, arch)
    kafka = archive.build()
    directory = cache.directory(name)
    hosts = boot(name, count, tag, directory)
    path = directory / "pis.ini"
    path.write_text(
        inventory.rewrite(
            example.read_text(),
            {host.name: host.variables(directory) for host in hosts},
            {
                "kraft_broker_archive": str(kafka.path),
                "kraft_broker_archive_sha512": kafka.sha512,
                # A stand-in has no time service of its own, and the clock of its machine may have none either.
                "pi_host_clock_wait": "3",
                "pi_host_timeout_factor": str(emulation.timeout_factor(arch)),
                **({"mqtt_bridge_enabled": "False"} if kafka_only else {}),
            },
        )
    )
    for host in hosts:
        tell(f"{host.name}: {' '.join(host.ssh(directory))}")
    return path


@contextlib.contextmanager
def fresh(
    name: str, count: int = 1, suite: str = image.SUITE, example: Path = inventory.EXAMPLE, *, kafka_only: bool = False
) -> Iterator[list[Host]]:
    """Boot hosts that nobody has used, and remove them in the end; a run that was killed may have left some."""
    down(name)
    try:
        up(name, count, suite, example=example, kafka_only=kafka_only)
        yield find(name)
    finally:
        down(name)


def down(name: str) -> None:
    """Remove the hosts, their network and their inventory; the caches stay."""
    refuse_bad_name(name)
    engine.require()
    with step(f"remove {name}"):
        containers = [host.container for host in find(name)]
        if containers:
            engine.docker("rm", "--force", "--volumes", *containers, what=f"cannot remove the hosts of {name}")
        if subnet_of(name):
            engine.docker("network", "rm", network_name(name), what=f"cannot remove the network of {name}")
        shutil.rmtree(cache.directory(name))


def find(name: str) -> list[Host]:
    """Return the hosts of a set, those without power too."""
    query = ("ps", "--all", "--quiet", "--filter", f"label={LABEL}={name}")
    containers = engine.docker(*query, what="the engine does not list its containers").split()
    found = [host_of(facts) for facts in map(inspect, containers) if facts]
    return sorted(found, key=lambda host: int(host.name.removeprefix("pi")))


def host_of(facts: dict) -> Host:
    """Read a host from what the engine knows of its container."""
    (network,) = facts["NetworkSettings"]["Networks"].values()
    return Host(facts["Name"].removeprefix("/"), facts["Config"]["Hostname"], network["IPAMConfig"]["IPv4Address"])


def kill(container: str) -> None:
    """Cut the power."""
    engine.docker("kill", container, what=f"cannot kill {container}", remedy="look whether it runs: docker ps")


def power(container: str) -> None:
    """Give power back."""
    engine.docker("start", container, what=f"cannot start {container}")


def start(container: str) -> None:
    """Give power back, and wait until the host has booted, with all its services."""
    power(container)
    await_boot(container)


def as_root(host: Host, command: str, text: str = "") -> str:
    """Run shell commands in the host until one fails, past all that is tested; returns what they printed."""
    line = ("exec", "--interactive", host.container, "sh", "-ec", command)
    return engine.docker(*line, what=f"{command} failed on {host.container}", stdin=text)


def in_namespace(host: Host, kind: str, *command: str) -> None:
    """Run a command of this machine, as root, where the host has its network (`net`) or its mounts (`mnt`)."""
    facts = inspect(host.container)
    assert facts, f"there is no {host.container}"
    space = {"net": "--net", "mnt": "--mount"}[kind] + f"=/proc/{facts['State']['Pid']}/ns/{kind}"
    run(package.as_root(["nsenter", space, *command]), f"{command[0]} failed on {host.container}", "look at that host")


def refuse_bad_name(name: str) -> None:
    """A set's name becomes a directory, a network and a part of the containers' names."""
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,30}", name):
        raise Failure(
            f"{name!r} cannot name hosts", "it must be a-z, 0-9, - and _, a letter first", "choose another name"
        )


def refuse_bad_path(path: Path) -> None:
    """Neither an inventory of this form nor ssh's options can carry any path."""
    if re.search(r"[^\w./+@:-]", str(path)):
        remedy = "set RASPI_KAFKA_CACHE to a plain path"
        raise Failure(
            f"cannot use the cache {path}", "its path has blanks or signs that ssh or the inventory read", remedy
        )


def key() -> Path:
    """Return the private key that opens all hosts of this cache."""
    path = cache.directory("_ssh") / "id_ed25519"
    if not path.exists():
        package.ensure({"ssh-keygen": "openssh-client"})
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "raspi.kafka test hosts", "-f", path]
        run(command, "cannot make an ssh key", f"look at {path.parent}")
    return path


def boot(name: str, count: int, tag: str, directory: Path) -> list[Host]:
    """Start what does not run, then wait for all: they boot side by side."""
    subnet = subnet_of(name) or create_network(name)
    hosts = [Host(f"{name}-pi{n}", f"pi{n}", str(subnet[9 + n])) for n in range(1, count + 1)]
    with step(f"boot {', '.join(host.container for host in hosts)}"):
        for host in hosts:
            ensure_running(host, name, tag)
        for host in hosts:
            await_boot(host.container)
            await_ssh(host, directory)
    return hosts


def ensure_running(host: Host, name: str, tag: str) -> None:
    """Create a container, or start the one that is there; what runs is left alone."""
    facts = inspect(host.container)
    if facts is None:
        create(host, name, tag)
        return
    if facts["Config"]["Image"] != tag:
        tell(f"{host.container} is of {facts['Config']['Image']}, not {tag}: `down {name}` and `up {name}` renew it")
    if not facts["State"]["Running"]:
        engine.docker("start", host.container, what=f"cannot start {host.container}")


def create(host: Host, name: str, tag: str) -> None:
    """Create and start a container; the key is mounted, so that nothing has to be done inside by hand."""
    place = ["--network", network_name(name), "--ip", host.address, "--network-alias", host.name]
    names = ["--name", host.container, "--hostname", host.name, "--label", f"{LABEL}={name}"]
    login = ["--volume", f"{key()}.pub:/home/{USER}/.ssh/authorized_keys:ro"]
    engine.docker("run", "--detach", *names, *place, *login, *BOOT, tag, what=f"cannot start {host.container}")


def inspect(container: str) -> dict | None:
    """Return what the engine knows of a container, None if it does not know it."""
    command = ["docker", "container", "inspect", container]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return json.loads(done.stdout)[0] if done.returncode == 0 else None


def await_boot(container: str) -> None:
    """Wait until systemd has started all units."""
    deadline = time.monotonic() + SECONDS_TO_BOOT
    command = ["docker", "exec", container, "systemctl", "is-system-running"]
    while True:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        state = done.stdout.strip()
        if state in {"running", "degraded"}:
            break
        if time.monotonic() > deadline:
            why = f"systemd is {state or done.stderr.strip()} after {SECONDS_TO_BOOT} s"
            raise Failure(f"{container} does not boot", why, f"look at: docker exec {container} systemctl list-jobs")
        time.sleep(0.2)
    if state == "degraded":
        what = f"cannot list the failed units of {container}"
        tell(
            f"{container}: degraded, " + engine.docker("exec", container, "systemctl", "--failed", "--plain", what=what)
        )


def await_ssh(host: Host, directory: Path) -> None:
    """Wait until one can log in."""
    package.ensure({"ssh": "openssh-client"})
    command = host.ssh(directory, "true")
    command[1:1] = ["-o", "BatchMode=yes", "-o", "ConnectTimeout=5"]
    deadline = time.monotonic() + SECONDS_TO_BOOT
    while (done := subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)).returncode:
        if time.monotonic() > deadline:
            remedy = f"look at: docker logs {host.container}"
            raise Failure(f"cannot log in to {host.container}", done.stderr.strip().replace("\n", " "), remedy)
        time.sleep(0.2)


def network_name(name: str) -> str:
    """Return the name of a set's network."""
    return f"{LABEL}.{name}"


def subnet_of(name: str) -> IPv4Network | None:
    """Return the subnet of a set's network, None if there is no such network."""
    command = ["docker", "network", "inspect", "--format", "{{(index .IPAM.Config 0).Subnet}}", network_name(name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return IPv4Network(done.stdout.strip()) if done.returncode == 0 else None


def create_network(name: str) -> IPv4Network:
    """Give the set the first subnet that nothing here is routed to, the same each time where that can be."""
    routes = Path("/proc/net/route").read_text()
    subnet = free_subnet(name, routed(routes))
    arguments = ("network", "create", "--subnet", str(subnet), network_name(name))
    engine.docker(*arguments, what=f"cannot create a network for {name}", remedy="try again")
    return subnet


def free_subnet(name: str, taken: list[IPv4Network]) -> IPv4Network:
    """Choose a subnet by the name, then the next ones until one is free."""
    subnets = list(SUBNETS.subnets(new_prefix=24))
    first = zlib.crc32(name.encode()) % len(subnets)
    for subnet in subnets[first:] + subnets[:first]:
        if not any(subnet.overlaps(other) for other in taken):
            return subnet
    raise Failure(f"no network for {name}", f"all of {SUBNETS} is routed elsewhere", "remove a route or some hosts")


def routed(table: str) -> list[IPv4Network]:
    """Read /proc/net/route; the default route leads to everything and takes nothing."""
    rows = [line.split() for line in table.splitlines()[1:]]
    pairs = [(little_endian(row[1]), little_endian(row[7])) for row in rows if row]
    return [IPv4Network((address, bin(mask).count("1"))) for address, mask in pairs if mask]


def little_endian(text: str) -> int:
    """Read an address as the kernel prints it."""
    return int.from_bytes(bytes.fromhex(text), "little")
