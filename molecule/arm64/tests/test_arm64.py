"""What is there was built for the processor of a Pi, runs on it, and comes back on it."""

from __future__ import annotations

from conftest import SET, OnPi, send, stored, wait_until

from tests.hosts import emulation, host
from tests.hosts.play import playbook

ELF_MACHINE_AARCH64 = "b7 00"  # bytes 18 and 19 of the file (System V ABI, ELF header)
MACHINES = "while read -r file; do od --skip-bytes=18 --read-bytes=2 --address-radix=n --format=x1 $file; done"
FACTOR = emulation.timeout_factor(emulation.ARM64)
SECONDS_OF_A_START = 120 * FACTOR + 30


def machines(on: OnPi, find: str) -> set[str]:
    """For which machines the files that a command prints were compiled."""
    return {line.strip() for line in on(f"{find} | {MACHINES}").splitlines()}


def test_the_host_is_an_arm64(on: OnPi) -> None:
    assert on("uname -m") == "aarch64"
    assert on("dpkg --print-architecture") == "arm64"


def test_the_wheels_are_those_for_aarch64_and_they_are_used(on: OnPi) -> None:
    compiled = on("cd /opt/raspi-kafka/wheels && ls *.whl | grep --invert-match none-any").split()
    assert [name for name in compiled if "aarch64" not in name] == []
    assert machines(on, "find /opt/raspi-kafka/venv/lib -name '*.so'") == {ELF_MACHINE_AARCH64}
    # The extension, and not the fallback in Python that the package has too.
    used = on("/opt/raspi-kafka/venv/bin/python -c 'import crc32c; print(crc32c._crc32c.__file__)'")
    assert used.startswith("/opt/raspi-kafka/venv/lib/")
    assert used.endswith("aarch64-linux-gnu.so")


def test_java_is_that_for_aarch64_and_starts_from_its_archive(on: OnPi) -> None:
    assert machines(on, "readlink --canonicalize /usr/bin/java") == {ELF_MACHINE_AARCH64}
    line = on("tr '\\0' ' ' < /proc/$(systemctl show kafka --property MainPID --value)/cmdline")
    assert "-XX:SharedArchiveFile=/opt/kafka/cds/" in line


def test_time_outs_follow_the_variable_for_slow_hosts(on: OnPi) -> None:
    assert on("systemctl show kafka --property TimeoutStartUSec --value") == f"{SECONDS_OF_A_START // 60}min 30s"


def test_a_second_run_changes_nothing_and_proves_it_again() -> None:
    run = playbook(SET, "-vvv", timeout=1200)
    assert run.code == 0
    assert run.count("pi1", "changed") == 0
    # sudo and sshd are emulated too: what Ansible itself waits for follows the variable for slow hosts.
    assert f"ConnectTimeout={10 * FACTOR}" in run.output
    assert "proof on the Pi 100 sent, 100 read from the beginning, 100 found on disk" in run.text
    assert "proof from the control node 100 sent, 100 read from the beginning" in run.text


def test_a_killed_broker_comes_back_with_its_records(pi: host.Host, on: OnPi) -> None:
    send(pi, b"before the kill")
    before = on("systemctl show kafka --property MainPID --value")
    on(f"kill -KILL {before}")
    wait_until(
        lambda: on("systemctl is-active kafka", check=False) == "active", SECONDS_OF_A_START, "the broker came back"
    )
    assert on("systemctl show kafka --property MainPID --value") != before
    assert b"before the kill" in stored(pi)
