#!/usr/bin/python
# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: pi_host_check
short_description: Refuse a Raspberry Pi that cannot be a Kafka gateway, before anything is changed
version_added: 0.1.0
description:
  - Looks at a bare host and fails with one sentence for each thing that stands against a Kafka broker there. Each says
    what was found and what to do.
  - Refused are a 32-bit userland, too little memory, log directories that a reboot empties or whose file system is too
    small for what the topics may keep, a Kafka or Mosquitto that this collection did not install, and names of other
    hosts that this one cannot resolve.
  - Warns of under-voltage, throttling and mounts without C(noatime).
author:
  - raspi.kafka contributors (@raspi-kafka)
options:
  log_dirs:
    description: The node's C(log.dirs). They need not exist yet.
    type: list
    elements: path
    required: true
  keeps:
    description: >-
      What the declared topics may keep at most, in bytes, with all that Kafka keeps for itself. Of partitions without
      a limit of their own only the segment that is written to.
    type: int
    required: true
  unlimited:
    description: >-
      How many partitions have no limit of their own. Each may keep what is returned as C(retention_bytes) beside its
      segment.
    type: int
    default: 0
  topics:
    description: Names of the topics whose records O(keeps) counts. Other topics take room from them.
    type: list
    elements: str
    default: []
  ballast_mb:
    description: Size in MiB of the file that M(raspi.kafka.ballast) keeps on each file system.
    type: int
    default: 0
  resolve:
    description: Names that this host must be able to resolve, since clients and brokers are told them.
    type: list
    elements: str
    default: []
  mqtt:
    description: Whether this host gets a Mosquitto. Another one is in the way then.
    type: bool
    default: true
extends_documentation_fragment:
  - raspi.kafka._attributes
attributes:
  check_mode:
    support: full
    details:
      - This module changes nothing.
  diff_mode:
    support: N/A
    details:
      - This module changes nothing.
notes:
  - Needs nothing but Python's standard library, so that it runs on a bare host.
seealso:
  - name: vcgencmd get_throttled
    description: What the bits mean.
    link: https://www.raspberrypi.com/documentation/computers/os.html#get_throttled
"""

EXAMPLES = r"""
- name: Refuse a host that cannot be a gateway
  raspi.kafka.pi_host_check:
    log_dirs: [/var/lib/kafka/data]
    keeps: 3154116608
    topics: [telemetry, events]
    ballast_mb: 128
"""

RETURN = r"""
warnings_found:
  description: Sentences about what does not stop a broker and yet should be mended.
  type: list
  elements: str
  returned: success
  sample: ["The power supply is too weak: [...]"]
machine_id:
  description: Content of C(/etc/machine-id).
  type: str
  returned: success
  sample: 5f3c0a4d8a1e4f0f9a4b6a0f4f6e5c11
hostname:
  description: The host's own name.
  type: str
  returned: success
  sample: pi1
retention_bytes:
  description:
    - What a partition may keep that has no limit of its own. As much that 35 of them fill 70 % of the smallest file
      system with a log directory, at most 1 GiB, at least a segment of 64 MiB.
    - By the size of the file system and not by its free space, so that the next run comes to the same.
  type: int
  returned: success
  sample: 603979776
max_map_count:
  description: The kernel's C(vm.max_map_count); 0 where it does not say.
  type: int
  returned: success
  sample: 65530
"""

import glob
import json
import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.raspi.kafka.plugins.module_utils._log_dirs import BALLAST, bytes_of

# A Pi sold with 2 GB shows 1,800 to 1,900 MiB, since firmware and graphics take their part; one with 1 GB under 1,000.
_MEMORY_MIB = 1600
# The rest is for indexes, for segments that are deleted a minute late (log.segment.delete.delay.ms) and for the system.
_SHARE_OF_DISK = 0.7
# What a partition keeps without a limit of its own: in steps of a segment, at most 1 GiB.
_SEGMENT = 64 << 20
_MOST = 1 << 30
_PART_OF_DISK = 50
# Java, Kafka, the Python environment, and what apt keeps of packages and lists: 583 MiB on a bare Debian 12.
_INSTALLATION = 600 << 20
_INSTALLED = "/opt/kafka/current"
_MOUNT_COLUMNS = "TARGET,FSTYPE,SOURCE,OPTIONS,MAJ:MIN"
_IN_MEMORY = ("tmpfs", "ramfs")
# Major number of SD cards and eMMC (the kernel's admin-guide/devices.txt).
_CARD = "179:"
# What only our unit says, and only the process that it starts.
_OUR_UNIT = "/opt/raspi-kafka/"
_OUR_PROCESSES = ("-Djava.io.tmpdir=/var/lib/kafka/tmp", "-Djava.io.tmpdir=/opt/kafka/cds/")
_MOSQUITTO = "mosquitto"
_PACKAGES = ("confluent-kafka", "confluent-server", "kafka", _MOSQUITTO)
# By which Mosquitto runs with our configuration, and what is there where Debian's own has been enabled.
_OUR_MOSQUITTO = "/etc/systemd/system/mosquitto.service.d/raspi-kafka.conf"
_OUR_MOSQUITTO_PROCESS = "/etc/raspi-kafka/mosquitto/mosquitto.conf"
_MOSQUITTO_ENABLED = "/etc/systemd/system/multi-user.target.wants/mosquitto.service"
_UNIT_FOLDERS = ("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/lib/systemd/system")
# A Pi 5 has soc@107c000000 where others have soc.
_THROTTLED = "/sys/devices/platform/soc*/soc*:firmware/get_throttled"


@dataclass(frozen=True)
class Mount:
    """As findmnt(8) says; `options` are those of the mount and of the file system, `device` is MAJOR:MINOR."""

    path: str
    fstype: str
    source: str
    options: tuple[str, ...]
    device: str = ""

    @property
    def on_card(self) -> bool:
        return self.device.startswith(_CARD) or "/mmcblk" in self.source


@dataclass(frozen=True)
class Disk:
    """A file system with log directories; sizes in bytes.

    `used` is what records that are counted, and the ballast, take already; `installs` is what is still installed there.
    """

    mount: Mount
    volatile: bool
    size: int
    available: int
    used: int
    log_dirs: tuple[str, ...]
    installs: int = 0


@dataclass(frozen=True)
class Host:
    """What was found."""

    architecture: str
    machine: str
    memory_mib: int
    disks: tuple[Disk, ...]
    foreign: tuple[str, ...] = ()
    throttled: int = 0
    unresolved: Mapping[str, str] = field(default_factory=dict)


def parse_mounts(text: str) -> list[Mount]:
    """Read `findmnt --json --list`, which names the device behind /dev/root and writes blanks as they are.

    :raises ValueError: it is no such list.
    """
    return [
        Mount(one["target"], one["fstype"], one["source"] or "", tuple(one["options"].split(",")), one["maj:min"])
        for one in json.loads(text)["filesystems"]
    ]


def mount_of(path: str, mounts: Iterable[Mount]) -> Mount:
    """The mount that a path is on; of two at one place the later hides the earlier."""
    best = Mount("", "", "", ())
    for mount in mounts:
        inside = mount.path in ("/", path) or path.startswith(mount.path + "/")
        if inside and len(mount.path) >= len(best.path):
            best = mount
    return best


def is_volatile(mount: Mount, mounts: list[Mount], cmdline: str) -> bool:
    """Whether a reboot empties it: also Raspberry Pi OS's overlay file system, whose upper directory is in memory.

    :param cmdline: /proc/cmdline. An overlay that initramfs made has its upper directory on a mount that is not seen
        afterwards, as a container's; of the two only the Pi was told to make one.
    """
    if mount.fstype != "overlay":
        return mount.fstype in _IN_MEMORY
    upper = next((option[9:] for option in mount.options if option.startswith("upperdir=")), "")
    below = mount_of(upper, mounts) if upper else mount
    if below.fstype != "overlay":
        return below.fstype in _IN_MEMORY
    return any(word == "boot=overlay" or word.startswith("overlayroot=tmpfs") for word in cmdline.split())


def amount(size: float) -> str:
    """Bytes for people."""
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"


def retention_bytes(disk_size: int) -> int:
    """What a partition may keep that has no limit of its own; see RETURN."""
    return min(max(disk_size // _PART_OF_DISK // _SEGMENT * _SEGMENT, _SEGMENT), _MOST)


def refuse_disk(disk: Disk, keeps: float) -> list[str]:
    """What stands against one file system, for `keeps` bytes of records and ballast."""
    where = " and ".join(disk.log_dirs)
    if disk.volatile:
        return [
            f"{where} is in memory ({disk.mount.fstype}), which a reboot empties. Turn the overlay file system off "
            "(raspi-config, Performance), or set kraft_broker_log_dirs to a directory on a disk or card."
        ]
    most = f"The declared topics, Kafka's own and the ballast may keep {amount(keeps)} in {where}"
    remedy = "Declare a smaller retention.bytes or fewer partitions in topics_declared, or use a larger disk."
    if keeps > _SHARE_OF_DISK * disk.size:
        share = f"{_SHARE_OF_DISK:.0%} of its file system are {amount(_SHARE_OF_DISK * disk.size)}"
        return [f"{most}, but {share}. {remedy}"]
    room = max(disk.available + disk.used - disk.installs, 0)
    if keeps > room:
        beside = f" beside {amount(disk.installs)} of programs" if disk.installs else ""
        return [f"{most}, but {amount(room)} are free for it{beside}. Free some space. Or: {remedy}"]
    return []


def refusals(host: Host, keeps: int, ballast: int = 0) -> list[str]:
    """One sentence for each thing that stands against a broker, for `keeps` bytes in all and a ballast on each disk."""
    found = []
    if host.architecture in ("armhf", "armel", "i386"):
        found.append(
            f"The userland is 32-bit ({host.architecture}) under a kernel for {host.machine}: there are no packages of "
            "Java and Python for both. Flash the 64-bit image."
        )
    if host.memory_mib < _MEMORY_MIB:
        found.append(f"It has {host.memory_mib} MiB of memory; Kafka needs a Pi with 2 GB or more. Use another Pi.")
    directories = sum(len(disk.log_dirs) for disk in host.disks)
    for disk in host.disks:
        # Kafka spreads partitions evenly over the log directories.
        found += refuse_disk(disk, keeps * len(disk.log_dirs) / directories + ballast)
    found += host.foreign
    found += [
        f"It cannot resolve {name}, which clients and other hosts are told: {why}. Advertise an address "
        "(kraft_broker_advertised_address), or make the name known there (DNS, /etc/hosts)."
        for name, why in host.unresolved.items()
    ]
    return found


def power_warnings(bits: int) -> list[str]:
    """What `vcgencmd get_throttled` says: bits 0 to 3 are now, 16 to 19 since the last boot."""
    found = []
    if bits & (1 << 0 | 1 << 16):
        when = "now" if bits & 1 else "since the last boot"
        found.append(
            f"The voltage is or was too low ({when}; vcgencmd get_throttled says {bits:#x}): a Pi in this state "
            "corrupts cards and loses USB disks. Use the official power supply and a short cable."
        )
    if bits & (0b1110 | 0b1110 << 16):
        when = "now" if bits & 0b1110 else "since the last boot"
        found.append(
            f"The processor is or was slowed down ({when}; vcgencmd get_throttled says {bits:#x}). It is too hot, or "
            "its power supply too weak. Add a heat sink or a fan."
        )
    return found


def mount_warnings(mounts: Iterable[Mount]) -> list[str]:
    """Advice on access times, once for each mount; nothing is edited, since a mount is the owner's."""
    return [
        f"{mount.path} is mounted without noatime: reading writes access times to the disk. Add noatime to the "
        f"options of {mount.path} in /etc/fstab and reboot."
        for mount in dict.fromkeys(mounts)
        if "noatime" not in mount.options and mount.source.startswith("/dev/")
    ]


def swap_warnings(swaps: str, mounts: list[Mount]) -> list[str]:
    """Advice on swap on a card, from /proc/swaps; zram and disks are fine."""
    paths = [line.split()[0].replace("\\040", " ") for line in swaps.splitlines()[1:]]
    on_card = [path for path in paths if "/mmcblk" in path or mount_of(path, mounts).on_card]
    return [
        f"{path} is swap on the card, which wears it. Turn it off: sudo swapoff {path}, and remove its service or its "
        "line in /etc/fstab (Raspberry Pi OS: sudo systemctl disable --now dphys-swapfile)."
        for path in on_card
    ]


def nearest(path: str) -> str:
    """The path itself or the nearest directory above it that exists, without symlinks."""
    path = os.path.realpath(path)
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return path


def is_counted(name: str, topics: Collection[str]) -> bool:
    """Whether an entry of a log directory is part of what is judged, or goes by itself: Kafka's TOPIC-PARTITION."""
    topic, _dash, end = name.rpartition("-")
    return name == BALLAST or end == "delete" or (end.isdigit() and (topic.startswith("__") or topic in topics))


def used_in(log_dir: str, topics: Collection[str]) -> int:
    """What counted records and the ballast take in a log directory."""
    names = os.listdir(log_dir) if os.path.isdir(log_dir) else []
    return sum(bytes_of(os.path.join(log_dir, name)) for name in names if is_counted(name, topics))


def disks(log_dirs: list[str], topics: Collection[str], mounts: list[Mount]) -> tuple[Disk, ...]:
    """The file systems of the log directories."""
    by_mount: dict[Mount, list[str]] = {}
    for path in log_dirs:
        by_mount.setdefault(mount_of(nearest(path), mounts), []).append(path)
    programs = None if os.path.exists(_INSTALLED) else os.stat(nearest(_INSTALLED)).st_dev
    found = []
    for mount, paths in by_mount.items():
        there = nearest(paths[0])
        room = os.statvfs(there)
        found.append(
            Disk(
                mount,
                volatile=is_volatile(mount, mounts, read("/proc/cmdline")),
                size=room.f_blocks * room.f_frsize,
                available=room.f_bavail * room.f_frsize,
                used=sum(used_in(path, topics) for path in paths),
                log_dirs=tuple(paths),
                installs=_INSTALLATION if os.stat(there).st_dev == programs else 0,
            )
        )
    return tuple(found)


def read(path: str) -> str:
    """A file's text; nothing where there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def output(*command: str) -> str:
    """What a program says; nothing where there is none, or where it hangs as vcgencmd can."""
    if not shutil.which(command[0]):
        return ""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def foreign_units(folders: Iterable[str]) -> list[str]:
    """Paths of units for Kafka or Mosquitto that this collection did not write."""
    found = []
    for folder in folders:
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
            path = os.path.join(folder, name)
            if not name.endswith(".service") or not os.path.isfile(path):
                continue
            text = read(path)
            kafka = "kafka.Kafka" in text or "kafka-server-start" in text or name == "kafka.service"
            if (kafka and _OUR_UNIT not in text) or _MOSQUITTO in name:
                found.append(path)
    return found


def foreign_brokers(commands: Mapping[int, str]) -> list[int]:
    """Processes that are Kafka brokers and not ours.

    :param commands: process id -> /proc/PID/cmdline with blanks between the words.
    """
    return [
        pid
        for pid, command in commands.items()
        if " kafka.Kafka " in f"{command} " and not any(mark in command for mark in _OUR_PROCESSES)
    ]


def mosquittos(commands: Mapping[int, str]) -> list[int]:
    """Processes that are Mosquitto and not ours, however they were installed; those of containers are seen too."""
    return [
        pid
        for pid, command in commands.items()
        if [os.path.basename(word) for word in command.split()[:1]] == [_MOSQUITTO]
        and _OUR_MOSQUITTO_PROCESS not in command.split()
    ]


def packages_of(installed: Iterable[str]) -> list[str]:
    """The packages that others use: not Mosquitto's where we configure it, or nobody has it enabled."""
    free = os.path.exists(_OUR_MOSQUITTO) or not os.path.lexists(_MOSQUITTO_ENABLED)
    return [name for name in installed if not (name == _MOSQUITTO and free)]


def is_login(user: str) -> bool:
    """Whether a user is somebody's login: those of the system have lower numbers (login.defs(5), UID_MIN)."""
    try:
        return pwd.getpwnam(user).pw_uid >= 1000
    except KeyError:
        return False


def running() -> dict[int, str]:
    """Process id -> command line."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return {pid: read(f"/proc/{pid}/cmdline").replace("\0", " ") for pid in pids}


def describe_foreign(
    units: list[str], processes: Mapping[int, str], packages: list[str], releases: list[str]
) -> list[str]:
    """One sentence for each Kafka or Mosquitto that this collection did not install.

    :param processes: process id -> what it is.
    """
    remedy = "Remove it, or use another Pi."
    stays = "With mqtt_bridge_enabled=false this host gets no MQTT, and Mosquitto stays as it is."
    found = [
        f"{path} is a unit that this collection did not write. Keep its records if you need them, then remove it: "
        f"sudo systemctl disable --now {os.path.basename(path)}, and delete the unit or its package."
        for path in units
    ]
    found += [
        f"Process {pid} is a {what} that this collection did not start. {remedy}" for pid, what in processes.items()
    ]
    found += [
        f"The package {name} is installed, and not by this collection. Remove it (sudo apt purge {name}), or use "
        "another Pi."
        for name in packages
    ]
    found += [
        f"{path} belongs to a Kafka that was unpacked by hand. Move it away, or use another Pi." for path in releases
    ]
    if any(_MOSQUITTO in each for each in (*units, *packages, *map(str.lower, processes.values()))):
        found.append(stays)
    return found


def foreign(mqtt: bool) -> tuple[str, ...]:
    """See describe_foreign().

    :param mqtt: whether a Mosquitto of others is in the way.
    """
    listed = output("dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\n", *_PACKAGES)
    installed = [line.split()[0] for line in listed.splitlines() if line.endswith(" installed")]
    packages = [each for each in packages_of(installed) if mqtt or each != _MOSQUITTO]
    # Where a package brought its unit, one sentence is enough.
    units = [path for path in foreign_units(_UNIT_FOLDERS) if not (installed and path.startswith("/lib/"))]
    units = [each for each in units if mqtt or _MOSQUITTO not in os.path.basename(each)]
    releases = [path for path in ("/opt/kafka/bin", "/opt/kafka/libs") if os.path.isdir(path)]
    commands = running()
    processes = dict.fromkeys(foreign_brokers(commands), "Kafka broker")
    if mqtt and not any(_MOSQUITTO in name for name in (*units, *packages)):
        processes |= dict.fromkeys(mosquittos(commands), "Mosquitto")
    found = describe_foreign(units, processes, packages, releases)
    if is_login("kafka"):
        found.append("User kafka is somebody's login, and Kafka would take it over. Rename it, or use another Pi.")
    return tuple(found)


def parse_throttled(text: str) -> int:
    """`throttled=0x50005` of vcgencmd, or `50005` of the kernel; 0 where nothing is said."""
    digits = text.strip().rpartition("=")[2]
    try:
        return int(digits, 16)
    except ValueError:
        return 0


def unresolved(names: Iterable[str]) -> dict[str, str]:
    """Name -> reason, for those that have no address here."""
    found = {}
    for name in names:
        try:
            socket.getaddrinfo(name, None)
        except (OSError, UnicodeError) as error:  # a name that cannot be one, as pi1..lan
            found[name] = getattr(error, "strerror", None) or str(error)
    return found


def throttled() -> int:
    """The bits of get_throttled; 0 where neither the program nor the kernel says any."""
    texts = [output("vcgencmd", "get_throttled"), *map(read, glob.glob(_THROTTLED))]
    return next(filter(None, map(parse_throttled, texts)), 0)


def look(log_dirs: list[str], topics: list[str], names: list[str], mounts: list[Mount], mqtt: bool) -> Host:
    """Find out everything; changes nothing."""
    memory = dict(line.split(":", 1) for line in read("/proc/meminfo").splitlines() if ":" in line)
    return Host(
        architecture=output("dpkg", "--print-architecture").strip(),
        machine=os.uname().machine,
        memory_mib=int(memory["MemTotal"].split()[0]) // 1024,
        disks=disks(log_dirs, topics, mounts),
        foreign=foreign(mqtt),
        throttled=throttled(),
        unresolved=unresolved(names),
    )


def advice(host: Host, mounts: list[Mount]) -> list[str]:
    """Sentences about what does not stop a broker."""
    # The system writes to its own disk too, where the records have another.
    looked_at = [mount_of("/", mounts), *(disk.mount for disk in host.disks)]
    return power_warnings(host.throttled) + swap_warnings(read("/proc/swaps"), mounts) + mount_warnings(looked_at)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "log_dirs": {"type": "list", "elements": "path", "required": True},
            "keeps": {"type": "int", "required": True},
            "unlimited": {"type": "int", "default": 0},
            "topics": {"type": "list", "elements": "str", "default": []},
            "ballast_mb": {"type": "int", "default": 0},
            "resolve": {"type": "list", "elements": "str", "default": []},
            "mqtt": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    options, name = module.params, os.uname().nodename
    try:
        mounts = parse_mounts(output("findmnt", "--kernel", "--json", "--list", "--output", _MOUNT_COLUMNS))
    except ValueError:
        module.fail_json(msg=f"findmnt does not list the mounts of {name}. Install it: sudo apt install util-linux.")
    host = look(options["log_dirs"], options["topics"], options["resolve"], mounts, options["mqtt"])
    each = retention_bytes(min((disk.size for disk in host.disks), default=0))
    refused = refusals(host, options["keeps"] + options["unlimited"] * each, options["ballast_mb"] << 20)
    if refused:
        module.fail_json(msg=f"{name} cannot be a Kafka gateway as it is. {' '.join(refused)} Nothing was changed.")
    module.exit_json(
        changed=False,
        warnings_found=advice(host, mounts),
        machine_id=read("/etc/machine-id").strip(),
        hostname=name,
        retention_bytes=each,
        max_map_count=int(read("/proc/sys/vm/max_map_count") or 0),
    )


if __name__ == "__main__":
    main()
