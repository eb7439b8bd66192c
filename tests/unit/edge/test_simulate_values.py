"""What devices measure and say."""

from __future__ import annotations

import json
import statistics

import pytest
from raspi_kafka.simulate.telemetry import Telemetry
from raspi_kafka.simulate.values import DAY_AMPLITUDE, SPIKE, WARMS, Values, day_curve, traits

NOW_NS = 1_795_000_000_123_456_789


def payloads(
    seed: int = 1, *, device: str = "sim-00001", bad: float = 0.0, run: str = "", count: int = 4096
) -> list[bytes]:
    said = Telemetry(device, traits(seed, device, 0.0), Values(seed), bad, run)
    return [said.payload(number, NOW_NS, 0.0) for number in range(count)]


def test_a_payload_is_compact_json_with_the_keys_of_the_contract() -> None:
    said = payloads(count=18)[17]
    assert said.startswith(b'{"device":"sim-00001","seq":17,"ts_ns":1795000000123456789,"temperature":')
    assert b" " not in said
    assert list(json.loads(said)) == ["device", "seq", "ts_ns", "temperature", "cpu"]


def test_the_name_of_the_run_is_right_behind_the_number() -> None:
    said = payloads(run="20261118T110640Z-1", count=18)
    assert said[17].startswith(b'{"device":"sim-00001","seq":17,"run":"20261118T110640Z-1","ts_ns":')
    assert [each.replace(b'"run":"20261118T110640Z-1",', b"") for each in said] == payloads(count=18)


def test_a_name_with_quotes_and_percent_signs_is_still_json() -> None:
    assert json.loads(payloads(device='a"%d\\ü', count=1)[0])["device"] == 'a"%d\\ü'


def test_the_same_seed_gives_the_same_messages_and_another_gives_others() -> None:
    assert payloads(1) == payloads(1)
    assert payloads(1) != payloads(2)
    assert traits(1, "sim-00001", 5.0) == traits(1, "sim-00001", 5.0)
    assert traits(1, "sim-00001", 5.0) != traits(1, "sim-00002", 5.0)


def test_values_are_those_of_a_room_and_a_pi() -> None:
    said = [json.loads(each) for each in payloads()]
    loads = [each["cpu"] for each in said]
    assert 0 <= min(loads) < 15
    assert 40 < max(loads) <= 100
    mean = traits(1, "sim-00001", 0.0).mean
    spikes = [each for each in said if each["temperature"] - mean - WARMS * each["cpu"] > SPIKE[0] - 1]
    assert 0 < len(spikes) < 40
    usual = [each["temperature"] - mean - WARMS * each["cpu"] for each in said if each not in spikes]
    assert 0.05 < statistics.stdev(usual) < 0.5


def test_it_is_warmest_in_the_afternoon_and_coldest_twelve_hours_later() -> None:
    midnight = 20_000 * 86_400
    assert day_curve(midnight + 15 * 3600) == pytest.approx(DAY_AMPLITUDE)
    assert day_curve(midnight + 3 * 3600) == pytest.approx(-DAY_AMPLITUDE)
    said = Telemetry("a", traits(0, "a", 0.0), Values(0), 0.0)
    cold, warm = (json.loads(said.payload(0, NOW_NS, day))["temperature"] for day in (-4.0, 4.0))
    assert warm - cold == pytest.approx(8.0, abs=0.11)


def test_the_clock_of_a_device_is_wrong_by_a_fixed_time_within_the_limit() -> None:
    skews = [traits(0, f"sim-{number}", 2.0).skew_ns for number in range(1000)]
    assert -2e9 <= min(skews) < -1.8e9
    assert 1.8e9 < max(skews) <= 2e9
    said = Telemetry("sim-7", traits(0, "sim-7", 2.0), Values(0), 0.0)
    assert {json.loads(said.payload(number, NOW_NS, 0.0))["ts_ns"] - NOW_NS for number in range(9)} == {skews[7]}


@pytest.mark.parametrize("share", [0.01, 0.3])
def test_the_wanted_share_of_payloads_is_cut_and_still_names_device_number_and_run(share: float) -> None:
    said = payloads(bad=share, run="r.1", count=20_000)
    good = payloads(run="r.1", count=20_000)
    cut = [number for number, each in enumerate(said) if each != good[number]]
    assert len(cut) == pytest.approx(20_000 * share, rel=0.05)
    for number in cut:
        with pytest.raises(json.JSONDecodeError):
            json.loads(said[number])
        assert said[number].startswith(b'{"device":"sim-00001","seq":%d,"run":"r.1",' % number)


def test_all_payloads_may_be_bad() -> None:
    assert all(each != whole for each, whole in zip(payloads(bad=1.0), payloads(), strict=True))
