"""What stands against a broker on a host, from texts as Raspberry Pis show them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.modules import pi_host_check
from ansible_collections.raspi.kafka.plugins.modules.pi_host_check import (
    Disk,
    Host,
    Mount,
    bytes_of,
    describe_foreign,
    disks,
    foreign_brokers,
    foreign_units,
    is_counted,
    is_login,
    is_volatile,
    mosquittos,
    mount_of,
    mount_warnings,
    nearest,
    output,
    parse_mounts,
    parse_throttled,
    power_warnings,
    refusals,
    retention_bytes,
    swap_warnings,
    throttled,
    unresolved,
    used_in,
)

from tests.module_args import patch_module_args

GIB = 1 << 30


def table(*lines: str) -> list[Mount]:
    """What `findmnt --json --list` says; each line is TARGET FSTYPE SOURCE MAJ:MIN OPTIONS, with ~ for a blank."""
    names = ("target", "fstype", "source", "maj:min", "options")
    rows = [dict(zip(names, (word.replace("~", " ") for word in line.split()), strict=True)) for line in lines]
    return parse_mounts(json.dumps({"filesystems": rows}))


# A Pi 4 with Raspberry Pi OS and a USB SSD; a Docker container; the overlay file system of raspi-config, once with
# overlayroot and once with an upper directory that only initramfs saw.
PI = table(
    "/ ext4 /dev/mmcblk0p2 179:2 rw,noatime",
    "/run tmpfs tmpfs 0:23 rw,nosuid,size=778004k",
    "/mnt/my~ssd ext4 /dev/sda1 8:1 rw,relatime",
)
CONTAINER = table(
    "/ overlay overlay 0:70 rw,relatime,lowerdir=/var/lib/docker/l,upperdir=/var/lib/docker/u,workdir=/w",
    "/run tmpfs tmpfs 0:71 rw",
)
OVERLAYROOT = table(
    "/ overlay overlay 0:30 rw,noatime,lowerdir=/media/root-ro,upperdir=/media/root-rw/overlay",
    "/media/root-rw tmpfs tmpfs 0:31 rw",
    "/media/root-ro ext4 /dev/mmcblk0p2 179:2 ro,relatime",
)
BOOT_OVERLAY = table(
    "/ overlay overlay 0:22 rw,relatime,lowerdir=/lower,upperdir=/upper/data,workdir=/upper/work",
    "/run tmpfs tmpfs 0:23 rw",
)
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
    assert "/var/lib/kafka/data is in memory (ext4), which a reboot empties" in text


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


def test_the_ballast_counts_on_each_disk_and_what_is_still_installed_takes_room() -> None:
    pair = (disk(size=8, available=8), disk(size=8, available=8, log_dirs=("/mnt/ssd",)))
    assert len(refusals(host(disks=pair), 10 * GIB, ballast=GIB)) == 2
    tight = disk(size=29, available=2, installs=1 << 29)
    assert refusals(host(disks=(disk(size=29, available=2),)), 2 * GIB) == []
    (text,) = refusals(host(disks=(tight,)), 2 * GIB)
    assert "but 1.5 GiB are free for it beside 512 MiB of programs" in text


@pytest.mark.parametrize(
    ("size", "mib"), [(29 * GIB, 576), (14.5 * GIB, 256), (2 * GIB, 64), (64 * GIB, 1024), (500 * GIB, 1024)]
)
def test_a_partition_without_a_limit_keeps_a_part_of_the_disk(size: float, mib: int) -> None:
    assert retention_bytes(int(size)) == mib << 20


@pytest.mark.parametrize(
    ("name", "counted"),
    [
        ("telemetry-0", True),
        ("tele-metry-12", True),
        ("__consumer_offsets-7", True),
        ("__cluster_metadata-0", True),
        ("old-0.5f3c0a4d8a1e4f0f9a4b6a0f4f6e5c11-delete", True),
        ("ballast", True),
        ("video-0", False),
        ("telemetry", False),
        ("meta.properties", False),
    ],
)
def test_only_what_is_judged_counts_as_room_for_it(name: str, counted: bool) -> None:
    assert is_counted(name, ["telemetry", "tele-metry"]) == counted


def test_records_of_others_take_room(tmp_path: Path) -> None:
    for name in ("telemetry-0", "video-0"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.log").write_bytes(b"x" * 8192)
    (tmp_path / "ballast").write_bytes(b"x" * 8192)
    assert 16384 <= used_in(str(tmp_path), ["telemetry"]) < 24576
    assert used_in(str(tmp_path / "not" / "yet"), ["telemetry"]) == 0


@pytest.mark.parametrize(
    ("mounts", "path", "cmdline", "volatile"),
    [
        (PI, "/var/lib/kafka/data", "root=PARTUUID=1-02", False),
        (PI, "/run/kafka", "", True),
        (PI, "/mnt/my ssd/kafka", "boot=overlay", False),
        (CONTAINER, "/var/lib/kafka/data", "root=PARTUUID=1-02 overlayroot=disabled", False),
        (OVERLAYROOT, "/var/lib/kafka/data", "", True),
        (OVERLAYROOT, "/media/root-ro/data", "overlayroot=tmpfs", False),
        (BOOT_OVERLAY, "/var/lib/kafka/data", "boot=overlay console=tty1", True),
        (BOOT_OVERLAY, "/var/lib/kafka/data", "overlayroot=tmpfs:recurse=0", True),
        (BOOT_OVERLAY, "/var/lib/kafka/data", "console=tty1", False),
    ],
)
def test_what_a_reboot_empties(mounts: list[Mount], path: str, cmdline: str, volatile: bool) -> None:
    assert is_volatile(mount_of(path, mounts), mounts, cmdline) == volatile


def test_a_mount_is_found_by_whole_names_and_the_later_hides_the_earlier() -> None:
    mounts = [CARD, Mount("/mnt", "ext4", "/dev/sda1", ()), Mount("/mnt", "ext4", "/dev/sdb1", ())]
    assert mount_of("/mnt/x", mounts).source == "/dev/sdb1"
    assert mount_of("/mntx", mounts) == CARD


def test_noatime_is_advised_once_for_each_mount_of_a_disk() -> None:
    ssd = mount_of("/mnt/my ssd", PI)
    (text,) = mount_warnings([ssd, CARD, ssd])
    assert "/mnt/my ssd is mounted without noatime" in text
    assert mount_warnings([CONTAINER[0]]) == []


def test_the_systems_own_disk_is_looked_at_where_the_records_have_another() -> None:
    card = Mount("/", "ext4", "/dev/mmcblk0p2", ("rw", "relatime"), "179:2")
    ssd = Mount("/mnt/ssd", "ext4", "/dev/sda1", ("rw", "noatime"), "8:1")
    found = pi_host_check.advice(host(disks=(disk(mount=ssd),)), [card, ssd])
    assert [text for text in found if text.startswith("/ is mounted without noatime")]


@pytest.mark.parametrize(
    ("text", "bits"), [("throttled=0x50005\n", 0x50005), ("50005\n", 0x50005), ("throttled=0x0\n", 0), ("", 0)]
)
def test_throttling_is_read_from_vcgencmd_and_from_the_kernel(text: str, bits: int) -> None:
    assert parse_throttled(text) == bits


@pytest.mark.parametrize("soc", ["soc/soc:firmware", "soc@107c000000/soc@107c000000:firmware"], ids=["Pi 4", "Pi 5"])
def test_the_kernel_is_asked_where_vcgencmd_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, soc: str
) -> None:
    (tmp_path / soc).mkdir(parents=True)
    (tmp_path / soc / "get_throttled").write_text("50005\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(pi_host_check, "_THROTTLED", f"{tmp_path}/soc*/soc*:firmware/get_throttled")
    assert throttled() == 0x50005


def test_a_program_that_hangs_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_words: object, **_more: object) -> None:
        raise subprocess.TimeoutExpired("vcgencmd", 30)

    monkeypatch.setattr(pi_host_check.subprocess, "run", hang)
    assert output("sh", "get_throttled") == ""


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
    assert "/var/swap is swap on the card" in swap_warnings(swaps.format("/var/swap"), PI)[0]
    assert swap_warnings(swaps.format("/dev/mmcblk0p3"), PI)
    assert swap_warnings(swaps.format("/var/swap"), [Mount("/", "ext4", "/dev/root", (), "179:2")])
    assert swap_warnings(swaps.format("/mnt/my\\040ssd/swap"), PI) == []
    assert swap_warnings(swaps.format("/dev/zram0"), [Mount("/dev", "devtmpfs", "udev", ())]) == []
    assert swap_warnings("Filename\tType\n", PI) == []


def test_units_of_others_are_found_and_ours_is_not(tmp_path: Path) -> None:
    (tmp_path / "kafka.service").write_text("[Service]\nExecStart=/opt/raspi-kafka/venv/bin/python ... kafka.Kafka\n")
    assert foreign_units([str(tmp_path), "/nowhere"]) == []
    (tmp_path / "kafka.service").write_text("[Service]\nExecStart=/home/pi/kafka/bin/kafka-server-start.sh\n")
    (tmp_path / "broker.service").write_text("[Service]\nExecStart=/usr/bin/java kafka.Kafka /etc/my.properties\n")
    (tmp_path / "current.service").write_text("[Service]\nExecStart=java -cp /opt/kafka/current/libs/* kafka.Kafka a\n")
    (tmp_path / "mosquitto.service").write_text("[Service]\nExecStart=/usr/sbin/mosquitto\n")
    (tmp_path / "snap.mosquitto.mosquitto.service").write_text("[Service]\nExecStart=/usr/bin/snap run mosquitto\n")
    (tmp_path / "ssh.service").write_text("[Service]\nExecStart=/usr/sbin/sshd\n")
    names = [Path(path).name for path in foreign_units([str(tmp_path)])]
    mosquitto = ["mosquitto.service", "snap.mosquitto.mosquitto.service"]
    assert names == ["broker.service", "current.service", "kafka.service", *mosquitto]


def test_brokers_of_others_are_found_by_their_main_class() -> None:
    commands = {
        1: "/lib/systemd/systemd",
        7: "java -cp /home/pi/kafka/libs/* kafka.Kafka server.properties",
        8: "java -Djava.io.tmpdir=/var/lib/kafka/tmp -cp /opt/kafka/current/libs/* kafka.Kafka server.properties",
        10: "java -cp /opt/kafka/current/libs/* kafka.Kafka /etc/kafka/server.properties",
        9: "vi kafka.Kafka.notes",
        11: "java -Djava.io.tmpdir=/opt/kafka/cds/.new-1/own -cp /opt/kafka/current/libs/* kafka.Kafka s.properties",
    }
    assert foreign_brokers(commands) == [7, 10]


def test_a_login_of_somebody_is_not_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    for uid, login in ((999, False), (1000, True)):
        monkeypatch.setattr(pi_host_check.pwd, "getpwnam", lambda _name, uid=uid: SimpleNamespace(pw_uid=uid))
        assert is_login("kafka") is login
    assert any(text.startswith("User kafka is somebody's login") for text in pi_host_check.foreign(True))


def test_a_user_that_is_not_there_is_no_login() -> None:
    assert not is_login("no-such-user")


def test_a_mosquitto_is_found_by_its_process_too() -> None:
    commands = {1: "/sbin/init", 2: "", 7: "/usr/sbin/mosquitto -c /m.conf", 8: "mosquitto", 9: "vi mosquitto"}
    assert mosquittos(commands) == [7, 8]


def test_each_foreign_thing_is_a_sentence() -> None:
    found = describe_foreign(["/etc/systemd/system/kafka.service"], {7: "Mosquitto"}, ["mosquitto"], ["/opt/kafka"])
    assert len(found) == 5
    assert "sudo systemctl disable --now kafka.service" in found[0]
    assert "Process 7 is a Mosquitto that this collection did not start" in found[1]
    assert "sudo apt purge mosquitto" in found[2]


def test_real_directories_names_and_sizes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 8192)
    assert bytes_of(str(tmp_path)) == bytes_of(str(tmp_path / "a")) >= 8192
    assert nearest(str(tmp_path / "not" / "yet")) == str(tmp_path)
    mounts = parse_mounts(output("findmnt", "--kernel", "--json", "--list", "--output", pi_host_check._MOUNT_COLUMNS))
    (found,) = disks([str(tmp_path / "not" / "yet"), str(tmp_path)], [], mounts)
    assert found.size >= found.available > 0
    assert found.used == 0


def test_a_name_without_an_address_is_unresolved_as_one_that_cannot_be_one() -> None:
    impossible = ["pi1..lan", "x" * 64 + ".lan", "no-such-host.invalid"]
    found = unresolved(["localhost", "127.0.0.1", *impossible])
    assert list(found) == impossible
    assert all(found.values())


def test_what_is_installed_unpacked_or_running_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pi_host_check, "_UNIT_FOLDERS", ())
    monkeypatch.setattr(pi_host_check, "output", lambda *_words: "kafka not-installed\nmosquitto installed\n")
    monkeypatch.setattr(pi_host_check, "running", lambda: {7: "java kafka.Kafka server.properties"})
    monkeypatch.setattr("os.path.isdir", lambda path: path == "/opt/kafka/libs")
    monkeypatch.setattr("os.path.lexists", lambda path: path == pi_host_check._MOSQUITTO_ENABLED)
    found = pi_host_check.foreign(True)
    assert found == tuple(describe_foreign([], {7: "Kafka broker"}, ["mosquitto"], ["/opt/kafka/libs"]))


def test_a_mosquitto_without_unit_and_package_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pi_host_check, "_UNIT_FOLDERS", ())
    monkeypatch.setattr(pi_host_check, "output", lambda *_words: "")
    monkeypatch.setattr(pi_host_check, "running", lambda: {7: "/opt/mosquitto/sbin/mosquitto -d"})
    assert pi_host_check.foreign(True) == tuple(describe_foreign([], {7: "Mosquitto"}, [], []))


@pytest.mark.parametrize("there", ["ours", "nobody enabled it"])
def test_a_mosquitto_that_we_configure_or_that_nobody_has_enabled_is_not_in_the_way(
    there: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured = "/usr/sbin/mosquitto -c /etc/raspi-kafka/mosquitto/mosquitto.conf"
    monkeypatch.setattr(pi_host_check, "_UNIT_FOLDERS", ())
    monkeypatch.setattr(pi_host_check, "output", lambda *_words: "mosquitto installed\n")
    monkeypatch.setattr(pi_host_check, "running", lambda: {7: configured} if there == "ours" else {})
    monkeypatch.setattr("os.path.exists", lambda path: there == "ours" and path == pi_host_check._OUR_MOSQUITTO)
    monkeypatch.setattr("os.path.lexists", lambda _path: there == "ours")
    assert pi_host_check.foreign(True) == ()


def test_a_host_without_mqtt_may_have_any_mosquitto(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "mosquitto.service").write_text("[Service]\nExecStart=/usr/sbin/mosquitto\n")
    monkeypatch.setattr(pi_host_check, "_UNIT_FOLDERS", (str(tmp_path),))
    monkeypatch.setattr(pi_host_check, "output", lambda *_words: "mosquitto installed\n")
    monkeypatch.setattr(pi_host_check, "running", lambda: {7: "/usr/sbin/mosquitto"})
    monkeypatch.setattr("os.path.lexists", lambda _path: True)
    assert pi_host_check.foreign(False) == ()
    assert "mqtt_bridge_enabled=false" in pi_host_check.foreign(True)[-1]


def answer(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *found: Disk, mounts: str = "", **options: Any
) -> dict[str, Any]:
    """What the module says of a good host with these disks."""
    listed = mounts or json.dumps({"filesystems": []})
    monkeypatch.setattr(pi_host_check, "output", lambda *_words: listed)
    monkeypatch.setattr(pi_host_check, "look", lambda *_options: host(disks=found))
    with patch_module_args({"log_dirs": ["/data"], **options}), pytest.raises(SystemExit):
        pi_host_check.main()
    return json.loads(capsys.readouterr().out)


def test_partitions_without_a_limit_are_judged_by_what_the_smallest_disk_lets_them_keep(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = (disk(size=29, available=28), disk(size=500, available=500, log_dirs=("/mnt/ssd",)))
    found = answer(capsys, monkeypatch, *pair, keeps=GIB, unlimited=35)
    assert found["retention_bytes"] == 576 << 20
    refused = answer(capsys, monkeypatch, pair[0], keeps=GIB, unlimited=35)
    assert "may keep 20.7 GiB in /var/lib/kafka/data, but 70% of its file system are 20.3 GiB" in refused["msg"]


def test_the_ballast_is_judged(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    tight = disk(size=29, available=2)
    assert "failed" not in answer(capsys, monkeypatch, tight, keeps=2 * GIB)
    assert answer(capsys, monkeypatch, tight, keeps=2 * GIB, ballast_mb=128)["failed"]


def test_a_host_whose_mounts_cannot_be_listed_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = answer(capsys, monkeypatch, disk(), mounts="no list", keeps=GIB)
    assert found["failed"]
    assert "Install it: sudo apt install util-linux." in found["msg"]


def test_everything_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = {"dpkg": "armhf\n", "vcgencmd": "throttled=0x50005\n"}
    monkeypatch.setattr(pi_host_check, "output", lambda program, *_words: programs[program])
    monkeypatch.setattr(pi_host_check, "foreign", lambda _mqtt: ("A.",))
    found = pi_host_check.look([str(tmp_path)], [], ["no-such-host.invalid"], PI, mqtt=True)
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
    ssd = mount_of("/mnt/my ssd", PI)
    said = checked(monkeypatch, capsys, host(throttled=0x1, disks=(disk(mount=ssd),)))
    assert not said["changed"]
    assert said["retention_bytes"] > 0
    assert "too low (now" in said["warnings_found"][0]
    assert "without noatime" in said["warnings_found"][-1]
