#!/usr/bin/python
# Copyright: raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: pi_host_check
short_description: Refuse a Raspberry Pi that cannot be a Kafka gateway, before anything is changed
version_added: 0.2.0
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
    description: What the declared topics may keep at most, in bytes, with all that Kafka keeps for itself.
    type: int
    required: true
  resolve:
    description: Names that this host must be able to resolve, since clients and brokers are told them.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying target.
    support: full
    details:
      - This module changes nothing.
  diff_mode:
    description: Returns details on what has changed (or possibly needs changing in check mode).
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
disk_size:
  description: Size in bytes of the smallest file system that holds a log directory.
  type: int
  returned: success
  sample: 31268536320
"""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ansible.module_utils.basic import AnsibleModule

# A Pi sold with 2 GB shows 1,800 to 1,900 MiB, since firmware and graphics take their part; one with 1 GB under 1,000.
_MEMORY_MIB = 1600
# The rest is for indexes, for segments that are deleted a minute late (log.segment.delete.delay.ms) and for the system.
_SHARE_OF_DISK = 0.7
_IN_MEMORY = ("tmpfs", "ramfs")
_OURS = ("/opt/raspi-kafka/", "/opt/kafka/current")
_PACKAGES = ("confluent-kafka", "confluent-server", "kafka", "mosquitto")
_UNIT_FOLDERS = ("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/lib/systemd/system")
_THROTTLED = "/sys/devices/platform/soc/soc:firmware/get_throttled"


@dataclass(frozen=True)
class Mount:
    """One line of /proc/self/mountinfo (proc(5)); `options` are those of the mount and of the file system."""

    path: str
    fstype: str
    source: str
    options: tuple[str, ...]


@dataclass(frozen=True)
class Disk:
    """A file system with log directories; sizes in bytes. `used` is what the log directories take already."""

    mount: Mount
    volatile: bool
    size: int
    available: int
    used: int
    log_dirs: tuple[str, ...]


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
    """Read /proc/self/mountinfo; blanks in paths are octal there."""
    mounts = []
    for line in text.splitlines():
        before, _dash, after = line.partition(" - ")
        fields, rest = before.split(), after.split()
        options = (*fields[5].split(","), *(rest[2].split(",") if len(rest) > 2 else ()))
        mounts.append(Mount(fields[4].replace("\\040", " "), rest[0], rest[1], options))
    return mounts


def mount_of(path: str, mounts: Iterable[Mount]) -> Mount:
    """The mount that a path is on; of two at one place the later hides the earlier."""
    best = Mount("", "", "", ())
    for mount in mounts:
        inside = mount.path in ("/", path) or path.startswith(mount.path + "/")
        if inside and len(mount.path) >= len(best.path):
            best = mount
    return best


def is_volatile(mount: Mount, mounts: list[Mount]) -> bool:
    """Whether a reboot empties it: also Raspberry Pi OS's overlay file system, whose upper directory is in memory."""
    if mount.fstype != "overlay":
        return mount.fstype in _IN_MEMORY
    upper = next((option[9:] for option in mount.options if option.startswith("upperdir=")), "")
    below = mount_of(upper, mounts) if upper else mount
    return below.fstype in _IN_MEMORY


def amount(size: float) -> str:
    """Bytes for people."""
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"


def refuse_disk(disk: Disk, keeps: float) -> list[str]:
    """What stands against one file system, for `keeps` bytes of records."""
    where = " and ".join(disk.log_dirs)
    if disk.volatile:
        return [
            f"{where} is on a {disk.mount.fstype} in memory, which a reboot empties. Turn the overlay file system off "
            "(raspi-config, Performance), or set kraft_broker_log_dirs to a directory on a disk or card."
        ]
    most = f"The declared topics and Kafka's own may keep {amount(keeps)} in {where}"
    remedy = "Declare a smaller retention.bytes or fewer partitions in topics_declared, or use a larger disk."
    if keeps > _SHARE_OF_DISK * disk.size:
        share = f"{_SHARE_OF_DISK:.0%} of its file system are {amount(_SHARE_OF_DISK * disk.size)}"
        return [f"{most}, but {share}. {remedy}"]
    room = disk.available + disk.used
    if keeps > room:
        return [f"{most}, but {amount(room)} are free for it on its file system. Free some space. Or: {remedy}"]
    return []


def refusals(host: Host, keeps: int) -> list[str]:
    """One sentence for each thing that stands against a broker."""
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
        found += refuse_disk(disk, keeps * len(disk.log_dirs) / directories)
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


def mount_warnings(disk: Disk) -> list[str]:
    """Advice on access times; nothing is edited, since the mount is the owner's."""
    if "noatime" in disk.mount.options or not disk.mount.source.startswith("/dev/"):
        return []
    return [
        f"{disk.mount.path} is mounted without noatime: reading writes access times to the disk. Add noatime to the "
        f"options of {disk.mount.path} in /etc/fstab and reboot."
    ]


def swap_warnings(swaps: str, mounts: list[Mount]) -> list[str]:
    """Advice on swap on a card, from /proc/swaps; zram and disks are fine."""
    paths = [line.split()[0] for line in swaps.splitlines()[1:]]
    on_card = [path for path in paths if "/mmcblk" in path or "/mmcblk" in mount_of(path, mounts).source]
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


def bytes_below(path: str) -> int:
    """What a directory takes on its disk; a file that is deleted meanwhile takes nothing."""
    total = 0
    for folder, _folders, files in os.walk(path):
        for name in files:
            try:
                total += os.lstat(os.path.join(folder, name)).st_blocks * 512
            except FileNotFoundError:
                continue
    return total


def disks(log_dirs: list[str], mounts: list[Mount]) -> tuple[Disk, ...]:
    """The file systems of the log directories."""
    by_mount: dict[Mount, list[str]] = {}
    for path in log_dirs:
        by_mount.setdefault(mount_of(nearest(path), mounts), []).append(path)
    found = []
    for mount, paths in by_mount.items():
        room = os.statvfs(nearest(paths[0]))
        size, available = room.f_blocks * room.f_frsize, room.f_bavail * room.f_frsize
        used = sum(map(bytes_below, paths))
        found.append(Disk(mount, is_volatile(mount, mounts), size, available, used, tuple(paths)))
    return tuple(found)


def read(path: str) -> str:
    """A file's text; nothing where there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def output(*command: str) -> str:
    """What a program says; nothing where there is none."""
    if not shutil.which(command[0]):
        return ""
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False).stdout


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
            if (kafka and not any(mark in text for mark in _OURS)) or name == "mosquitto.service":
                found.append(path)
    return found


def foreign_brokers(commands: Mapping[int, str]) -> list[int]:
    """Processes that are Kafka brokers and not ours.

    :param commands: process id -> /proc/PID/cmdline with blanks between the words.
    """
    return [
        pid
        for pid, command in commands.items()
        if " kafka.Kafka " in f"{command} " and not any(mark in command for mark in _OURS)
    ]


def running() -> dict[int, str]:
    """Process id -> command line."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return {pid: read(f"/proc/{pid}/cmdline").replace("\0", " ") for pid in pids}


def describe_foreign(units: list[str], brokers: list[int], packages: list[str], releases: list[str]) -> list[str]:
    """One sentence for each Kafka or Mosquitto that this collection did not install."""
    remedy = "Remove it, or use another Pi."
    found = [
        f"{path} is a unit that this collection did not write. Keep its records if you need them, then remove it: "
        f"sudo systemctl disable --now {os.path.basename(path)}, and delete the unit or its package."
        for path in units
    ]
    found += [f"Process {pid} is a Kafka broker that this collection did not start. {remedy}" for pid in brokers]
    found += [
        f"The package {name} is installed, and not by this collection. Remove it (sudo apt purge {name}), or use "
        "another Pi."
        for name in packages
    ]
    found += [
        f"{path} belongs to a Kafka that was unpacked by hand. Move it away, or use another Pi." for path in releases
    ]
    return found


def foreign() -> tuple[str, ...]:
    """See describe_foreign()."""
    listed = output("dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\n", *_PACKAGES)
    packages = [line.split()[0] for line in listed.splitlines() if line.endswith(" installed")]
    # Where a package brought its unit, one sentence is enough.
    units = [path for path in foreign_units(_UNIT_FOLDERS) if not (packages and path.startswith("/lib/"))]
    releases = [path for path in ("/opt/kafka/bin", "/opt/kafka/libs") if os.path.isdir(path)]
    return tuple(describe_foreign(units, foreign_brokers(running()), packages, releases))


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
        except OSError as error:
            found[name] = error.strerror or str(error)
    return found


def look(log_dirs: list[str], names: list[str], mounts: list[Mount]) -> Host:
    """Find out everything; changes nothing."""
    memory = dict(line.split(":", 1) for line in read("/proc/meminfo").splitlines() if ":" in line)
    return Host(
        architecture=output("dpkg", "--print-architecture").strip(),
        machine=os.uname().machine,
        memory_mib=int(memory["MemTotal"].split()[0]) // 1024,
        disks=disks(log_dirs, mounts),
        foreign=foreign(),
        throttled=parse_throttled(output("vcgencmd", "get_throttled") or read(_THROTTLED)),
        unresolved=unresolved(names),
    )


def advice(host: Host, mounts: list[Mount]) -> list[str]:
    """Sentences about what does not stop a broker."""
    found = power_warnings(host.throttled) + swap_warnings(read("/proc/swaps"), mounts)
    return found + [text for disk in host.disks for text in mount_warnings(disk)]


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "log_dirs": {"type": "list", "elements": "path", "required": True},
            "keeps": {"type": "int", "required": True},
            "resolve": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    mounts = parse_mounts(read("/proc/self/mountinfo"))
    host = look(module.params["log_dirs"], module.params["resolve"], mounts)
    refused = refusals(host, module.params["keeps"])
    name = os.uname().nodename
    if refused:
        module.fail_json(msg=f"{name} cannot be a Kafka gateway as it is. {' '.join(refused)} Nothing was changed.")
    module.exit_json(
        changed=False,
        warnings_found=advice(host, mounts),
        machine_id=read("/etc/machine-id").strip(),
        hostname=name,
        disk_size=min((disk.size for disk in host.disks), default=0),
    )


if __name__ == "__main__":
    main()
