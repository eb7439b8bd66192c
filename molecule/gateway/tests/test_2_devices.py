"""Devices: admitted, kept to their own topics, listed and revoked."""

from __future__ import annotations

import subprocess
import sys

from conftest import SET, OnPi, look, wait_until

from tests.hosts import cache, host
from tests.hosts.deployed import extra, fails
from tests.hosts.mqtt import Records, connected, passwords
from tests.hosts.play import Run, playbook
from tests.hosts.snapshot import difference

NOT_AUTHORIZED, TAKEN_OVER = 0x87, 0x8E
BOOK = "playbooks/device.yml"


def device_book(**variables: str) -> Run:
    return playbook(SET, *extra(**variables), book=BOOK)


def test_a_device_is_told_what_it_needs_and_a_second_run_changes_nothing(pi: host.Host, on: OnPi) -> None:
    pid = on("systemctl show --property MainPID --value mosquitto")
    first = device_book(add="kitchen")
    assert first.code == 0
    before = look(pi)
    second = device_book(add="kitchen")
    assert (second.code, second.count("pi1", "changed")) == (0, 0)
    assert difference(before, look(pi)) == []
    for run in (first, second):
        assert f"broker {pi.address}:1883, MQTT 3.1.1 or 5, without TLS" in run.text
        assert "topics devices/kitchen/..." in run.text
        assert passwords(SET)["kitchen"] not in run.output
    assert on("systemctl show --property MainPID --value mosquitto") == pid, "users are taken up without a restart"


def test_the_publisher_of_the_readme_reaches_kafka(pi: host.Host, arriving: Records) -> None:
    command = [sys.executable, str(cache.REPOSITORY / "examples" / "publish.py"), pi.address, "kitchen"]
    password = passwords(SET)["kitchen"]
    # Without a terminal getpass() reads its standard input.
    done = subprocess.run(
        command, input=f"{password}\n", capture_output=True, text=True, timeout=120, check=True, start_new_session=True
    )
    sent = [line.removeprefix("acknowledged ") for line in done.stdout.splitlines() if line.startswith("acknowledged")]
    assert len(sent) == 10
    assert [one.value.decode() for one in arriving.of("kitchen", 10)] == sent


def test_a_device_publishes_under_its_own_name_only(pi: host.Host, device) -> None:
    with connected(pi, "cellar", device("cellar")) as cellar:
        assert cellar.publish("devices/cellar/telemetry", b"1").value == 0
        assert cellar.publish("devices/kitchen/telemetry", b"1").value == NOT_AUTHORIZED
        assert cellar.publish("anything", b"1").value == NOT_AUTHORIZED
        cellar.client.subscribe("devices/#", qos=1)
        with connected(pi, "kitchen", passwords(SET)["kitchen"]) as kitchen:
            assert kitchen.publish("devices/kitchen/telemetry", b"private").value == 0
        assert cellar.messages == []


def test_no_device_takes_the_session_of_the_bridge(pi: host.Host, on: OnPi, device, arriving: Records) -> None:
    """By its client id and with a clean start, which would end the session and all that waits in it."""
    told = "journalctl -u raspi-kafka-bridge --no-pager | grep -c -e 'taken over' -e 'lost the session' || true"
    before = on(told)
    with connected(pi, "cellar", device("cellar"), client_id="raspi-kafka-bridge") as thief:
        assert thief.publish("devices/cellar/telemetry", b"still delivered").value == 0
    assert arriving.of("cellar", 1)[0].value == b"still delivered"
    assert on(told) == before


def test_the_list_says_when_a_device_was_heard_last() -> None:
    run = device_book()
    assert run.code == 0
    assert "heard last" in run.text
    assert "kitchen" in run.text
    assert "devices/kitchen/telemetry" in run.text


def test_a_revoked_device_is_cut_off_at_once_and_others_are_not(pi: host.Host, device) -> None:
    with (
        connected(pi, "kitchen", passwords(SET)["kitchen"]) as kitchen,
        connected(pi, "cellar", device("cellar")) as cellar,
    ):
        assert device_book(revoke="kitchen").code == 0
        wait_until(kitchen.ended.is_set, 30, "the connection of the revoked device is cut")
        assert not cellar.ended.is_set()
        assert cellar.publish("devices/cellar/telemetry", b"1").value == 0
    assert "kitchen" not in passwords(SET)


def test_names_that_cannot_be_and_devices_that_are_not_there_are_refused() -> None:
    for variables, why in (
        ({"add": "a+b"}, "a+b cannot be the name of a device"),
        ({"add": "a/b"}, "a/b cannot be the name of a device"),
        ({"add": "raspi-kafka-bridge"}, "raspi-kafka-bridge cannot be the name of a device"),
        ({"revoke": "nobody"}, "There is no device nobody"),
        ({"revoke": "pi1"}, "pi1 is the device as which the host pi1 publishes what it measures"),
        ({"add": "kitchen", "revoke": "kitchen"}, "Say one thing"),
    ):
        run = device_book(**variables)
        fails(run)
        assert why in run.text
        assert "Nothing was changed." in run.text
