"""What stands against a broker on a host, from texts as Raspberry Pis show them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.raspi.kafka.plugins.modules import pi_host_check
from ansible_collections.raspi.kafka.plugins.modules.pi_host_check import (
    Disk,
    Host,
    Mount,
    bytes_below,
    describe_foreign,
    disks,
    foreign_brokers,
    foreign_units,
    is_volatile,
    mount_of,
    mount_warnings,
    nearest,
    parse_mounts,
    parse_throttled,
    power_warnings,
    refusals,
    swap_warnings,
    unresolved,
)

GIB = 1 << 30
# A Pi 4 with Raspberry Pi OS and a USB SSD; a Docker container; the overlay file system of raspi-config.
PI = """\
24 1 179:2 / / rw,noatime shared:1 - ext4 /dev/mmcblk0p2 rw
25 24 0:23 / /run rw,nosuid,nodev shared:5 - tmpfs tmpfs rw,size=778004k,mode=755
30 24 8:1 / /mnt/my\\040ssd rw,relatime shared:20 - ext4 /dev/sda1 rw
"""
CONTAINER = """\
1001 900 0:70 / / rw,relatime - overlay overlay rw,lowerdir=/var/lib/docker/l,upperdir=/var/lib/docker/u,workdir=/w
1002 1001 0:71 / /run rw - tmpfs tmpfs rw
"""
OVERLAYROOT = """\
24 1 0:30 / / rw,noatime shared:1 - overlay overlay rw,lowerdir=/media/root-ro,upperdir=/media/root-rw/overlay
25 24 0:31 / /media/root-rw rw - tmpfs tmpfs rw
26 24 179:2 / /media/root-ro ro,relatime - ext4 /dev/mmcblk0p2 ro
"""
CARD = Mount("/", "ext4", "/dev/mmcblk0p2", ("rw", "noatime"))


def disk(size: float = 29, available: float = 20, used: float = 0, **more: object) -> Disk:
    facts = {"mount": CARD, "volatile": False, "log_dirs": ("/var/lib/kafka/data",), **more}
    return Disk(size=int(size * GIB), available=int(available * GIB), used=int(used * GIB), **facts)


def host(**more: object) -> Host:
    return Host(**{"architecture": "arm64", "machine": "aarch64", "memory_mib": 3792, "disks": (disk(),), **more})


def test_a_good_pi_is_not_refused() -> None:
    assert refusals(host(), 3 * GIB) == []


@pytest.mark.parametrize("architecture", ["armhf", "armel", "i386"])
def test_a_32_bit_userland_is_refused(architecture: str) -> None:
    (text,) = refusals(host(architecture=architecture), GIB)
    assert f"32-bit ({architecture}) under a kernel for aarch64" in text
    assert "Flash the 64-bit image" in text


@pytest.mark.parametrize(("memory", "refused"), [(906, True), (1599, True), (1849, False)])
def test_less_than_2_gb_is_refused(memory: int, refused: bool) -> None:
    assert bool(refusals(host(memory_mib=memory), GIB)) == refused


def test_a_disk_in_memory_is_refused() -> None:
    (text,) = refusals(host(disks=(disk(volatile=True),)), GIB)
    assert "/var/lib/kafka/data is on a ext4 in memory, which a reboot empties" in text


@pytest.mark.parametrize(
    ("found", "keeps", "text"),
    [
        (disk(size=29, available=28), 21 * GIB, "70% of its file system are 20.3 GiB"),
        (disk(size=29, available=2), 3 * GIB, "2.0 GiB are free for it"),
        (disk(size=29, available=2, used=1), 3 * GIB, ""),
    ],
)
def test_topics_must_fit_the_disk_and_what_is_free(found: Disk, keeps: int, text: str) -> None:
    refused = refusals(host(disks=(found,)), keeps)
    assert text in refused[0] if text else refused == []


def test_two_disks_share_what_is_kept() -> None:
    pair = (disk(size=8, available=8), disk(size=8, available=8, log_dirs=("/mnt/ssd",)))
    assert refusals(host(disks=pair), 10 * GIB) == []
    assert len(refusals(host(disks=pair), 12 * GIB)) == 2


def test_what_is_foreign_or_unknown_is_passed_on() -> None:
    refused = refusals(host(foreign=("A.",), unresolved={"pi.local": "Name or service not known"}), GIB)
    assert refused[0] == "A."
    assert "cannot resolve pi.local" in refused[1]


@pytest.mark.parametrize(
    ("table", "path", "volatile"),
    [
        (PI, "/var/lib/kafka/data", False),
        (PI, "/run/kafka", True),
        (PI, "/mnt/my ssd/kafka", False),
        (CONTAINER, "/var/lib/kafka/data", False),
        (OVERLAYROOT, "/var/lib/kafka/data", True),
        (OVERLAYROOT, "/media/root-ro/data", False),
    ],
)
def test_what_a_reboot_empties(table: str, path: str, volatile: bool) -> None:
    mounts = parse_mounts(table)
    assert is_volatile(mount_of(path, mounts), mounts) == volatile


def test_a_mount_is_found_by_whole_names_and_the_later_hides_the_earlier() -> None:
    mounts = [CARD, Mount("/mnt", "ext4", "/dev/sda1", ()), Mount("/mnt", "ext4", "/dev/sdb1", ())]
    assert mount_of("/mnt/x", mounts).source == "/dev/sdb1"
    assert mount_of("/mntx", mounts) == CARD


def test_noatime_is_advised_on_disks_only() -> None:
    ssd = mount_of("/mnt/my ssd", parse_mounts(PI))
    (text,) = mount_warnings(disk(mount=ssd))
    assert "/mnt/my ssd is mounted without noatime" in text
    assert mount_warnings(disk()) == []
    assert mount_warnings(disk(mount=parse_mounts(CONTAINER)[0])) == []


@pytest.mark.parametrize(
    ("text", "bits"), [("throttled=0x50005\n", 0x50005), ("50005\n", 0x50005), ("throttled=0x0\n", 0), ("", 0)]
)
def test_throttling_is_read_from_vcgencmd_and_from_the_kernel(text: str, bits: int) -> None:
    assert parse_throttled(text) == bits


@pytest.mark.parametrize(
    ("bits", "texts"),
    [
        (0x0, []),
        (0x1, ["too low (now"]),
        (0x50005, ["too low (now", "slowed down (now"]),
        (0x10000, ["too low (since the last boot"]),
        (0x80000, ["slowed down (since the last boot"]),
    ],
)
def test_each_bit_says_now_or_since_the_boot(bits: int, texts: list[str]) -> None:
    found = power_warnings(bits)
    assert len(found) == len(texts)
    assert all(text in sentence for text, sentence in zip(texts, found, strict=True))


def test_swap_on_a_card_is_advised_against() -> None:
    swaps = "Filename\tType\tSize\tUsed\tPriority\n{}\tfile\t102396\t0\t-2\n"
    mounts = parse_mounts(PI)
    assert "/var/swap is swap on the card" in swap_warnings(swaps.format("/var/swap"), mounts)[0]
    assert swap_warnings(swaps.format("/dev/mmcblk0p3"), mounts)
    assert swap_warnings(swaps.format("/mnt/my ssd/swap").replace(" ssd", "-ssd"), mounts[1:]) == []
    assert swap_warnings(swaps.format("/dev/zram0"), [Mount("/dev", "devtmpfs", "udev", ())]) == []
    assert swap_warnings("Filename\tType\n", mounts) == []


def test_units_of_others_are_found_and_ours_is_not(tmp_path: Path) -> None:
    (tmp_path / "kafka.service").write_text("[Service]\nExecStart=/opt/raspi-kafka/venv/bin/python ... kafka.Kafka\n")
    assert foreign_units([str(tmp_path), "/nowhere"]) == []
    (tmp_path / "kafka.service").write_text("[Service]\nExecStart=/home/pi/kafka/bin/kafka-server-start.sh\n")
    (tmp_path / "broker.service").write_text("[Service]\nExecStart=/usr/bin/java kafka.Kafka /etc/my.properties\n")
    (tmp_path / "mosquitto.service").write_text("[Service]\nExecStart=/usr/sbin/mosquitto\n")
    (tmp_path / "ssh.service").write_text("[Service]\nExecStart=/usr/sbin/sshd\n")
    names = [Path(path).name for path in foreign_units([str(tmp_path)])]
    assert names == ["broker.service", "kafka.service", "mosquitto.service"]


def test_brokers_of_others_are_found_by_their_main_class() -> None:
    commands = {
        1: "/lib/systemd/systemd",
        7: "java -cp /home/pi/kafka/libs/* kafka.Kafka server.properties",
        8: "java -cp /opt/kafka/current/libs/* kafka.Kafka /etc/kafka/server.properties",
        9: "vi kafka.Kafka.notes",
    }
    assert foreign_brokers(commands) == [7]


def test_each_foreign_thing_is_a_sentence() -> None:
    found = describe_foreign(["/etc/systemd/system/kafka.service"], [7], ["mosquitto"], ["/opt/kafka/bin"])
    assert len(found) == 4
    assert "sudo systemctl disable --now kafka.service" in found[0]
    assert "sudo apt purge mosquitto" in found[2]


def test_real_directories_names_and_sizes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 8192)
    assert bytes_below(str(tmp_path)) >= 8192
    assert nearest(str(tmp_path / "not" / "yet")) == str(tmp_path)
    mounts = parse_mounts(Path("/proc/self/mountinfo").read_text())
    (found,) = disks([str(tmp_path / "not" / "yet"), str(tmp_path)], mounts)
    assert found.size >= found.available > 0
    assert found.used >= 8192
    assert unresolved(["localhost", "127.0.0.1", "no-such-host.invalid"]).keys() == {"no-such-host.invalid"}


def test_what_is_installed_unpacked_or_running_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pi_host_check, "_UNIT_FOLDERS", ())
    monkeypatch.setattr(pi_host_check, "output", lambda *_words: "kafka not-installed\nmosquitto installed\n")
    monkeypatch.setattr(pi_host_check, "running", lambda: {7: "java kafka.Kafka server.properties"})
    monkeypatch.setattr("os.path.isdir", lambda path: path == "/opt/kafka/libs")
    found = pi_host_check.foreign()
    assert found == tuple(describe_foreign([], [7], ["mosquitto"], ["/opt/kafka/libs"]))


def test_everything_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = {"dpkg": "armhf\n", "vcgencmd": "throttled=0x50005\n"}
    monkeypatch.setattr(pi_host_check, "output", lambda program, *_words: programs[program])
    monkeypatch.setattr(pi_host_check, "foreign", lambda: ("A.",))
    found = pi_host_check.look([str(tmp_path)], ["no-such-host.invalid"], parse_mounts(PI))
    assert (found.architecture, found.throttled, found.foreign) == ("armhf", 0x50005, ("A.",))
    assert found.memory_mib > 0
    assert found.disks[0].log_dirs == (str(tmp_path),)
    assert found.unresolved.keys() == {"no-such-host.invalid"}


def checked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], found: Host) -> dict[str, Any]:
    """Run the module on a host of which this was found."""
    monkeypatch.setattr(pi_host_check, "look", lambda *_options: found)
    with patch_module_args({"log_dirs": ["/var/lib/kafka/data"], "keeps": GIB}), pytest.raises(SystemExit):
        pi_host_check.main()
    return json.loads(capsys.readouterr().out)


def test_a_host_is_refused_in_one_message(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    said = checked(monkeypatch, capsys, host(architecture="armhf", memory_mib=906))
    assert said["failed"]
    assert "Flash the 64-bit image. It has 906 MiB of memory" in said["msg"]
    assert said["msg"].endswith("Nothing was changed.")


def test_a_good_host_is_told_what_to_mend(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    ssd = mount_of("/mnt/my ssd", parse_mounts(PI))
    said = checked(monkeypatch, capsys, host(throttled=0x1, disks=(disk(mount=ssd),)))
    assert not said["changed"]
    assert said["disk_size"] == 29 * GIB
    assert "too low (now" in said["warnings_found"][0]
    assert "without noatime" in said["warnings_found"][-1]
