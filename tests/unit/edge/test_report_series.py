"""Every point of every plot, recomputed from the ledger, and read back from the SVG."""

from __future__ import annotations

import json
import math
import re
from html.parser import HTMLParser
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest
from raspi_kafka.report import ledger as ledgers
from raspi_kafka.report import page
from raspi_kafka.report.report import judged
from raspi_kafka.report.series import MOST_POINTS, series

from tests.unit.edge import ledgers as made

if TYPE_CHECKING:
    from pathlib import Path

VOID = {"meta", "br", "link", "img", "hr", "input"}
HOSTILE = '</script><script src="https://evil.example/x.js">alert(1)</script><b onload="x">&amp;'


def loaded(said: dict[str, Any], tmp_path: Path) -> ledgers.Ledger:
    path = tmp_path / "ledger.json"
    path.write_text(json.dumps(said))
    return ledgers.load(path)


@pytest.fixture
def said() -> dict[str, Any]:
    """A stage with a pause of all devices, a duplicate, a message without acknowledgement, and a restarted process."""
    events = ((3200.0, "consumer a stopped", "fault"), (9100.0, "consumer a continued", "fault"))
    found = made.stage(devices=4, seconds=14, events=events)
    for device in found["devices"].values():
        quiet = {number for number, ms in enumerate(device["sent"]) if 5000 <= ms < 8000}
        for number in quiet:
            device["sent"][number] += 4000.0
            device["acked"][number] += 4000.0
        for pairs in (device["stored"], *device["groups"].values()):
            for pair in pairs:
                pair[1] += 4000.0 * (pair[0] in quiet)
    found["devices"]["sim-00001"]["stored"].append([2, 15_250.0])
    found["devices"]["sim-00002"]["acked"][13] = None
    for row in found["processes"]["pi1 bridge"][6:]:
        row[1] -= 12.1
    return found


def naive(said: dict[str, Any], offset_ms: float | None, step: int = 1) -> dict[str, dict[str, list[list[float]]]]:
    """The same plots in plain loops over every second and every message."""
    devices = list(said["devices"].values())
    moments = {"sent": [ms for each in devices for ms in each["sent"]]}
    if said["qos"]:
        moments["acked"] = [ms for each in devices for ms in each["acked"] if ms is not None]
    if offset_ms is not None:
        moments["stored"] = [pair[1] - offset_ms for each in devices for pair in each["stored"]]
    for group in sorted(said["group_lag"]):
        moments[f"consumed {group}"] = [pair[1] for each in devices for pair in each["groups"][group]]
    last = int(max(max(each) for each in moments.values()) / 1000)
    seconds = range(0, last + 1, step)
    throughput = {
        name: [[s, sum(s * 1000 <= ms < (s + step) * 1000 for ms in each) / step] for s in seconds]
        for name, each in moments.items()
    }
    latency: dict[str, list[list[float]]] = {}
    for title in ["device to PUBACK"] * bool(said["qos"]) + ["device to consumer a"]:
        for label, part in (("p50", 0.5), ("p99", 0.99)):
            points = latency[f"{title}, {label}"] = []
            for s in seconds:
                took = sorted(
                    took
                    for each in devices
                    for number, ms in enumerate(each["sent"])
                    if s * 1000 <= ms < (s + step) * 1000
                    for took in ways(each, number, title)
                )
                if took:
                    rank = next(at for at in range(1, len(took) + 1) if at / len(took) >= part)
                    points.append([s, took[rank - 1]])
    lag = {name: [[ms / 1000, records] for ms, records in rows] for name, rows in said["group_lag"].items()}
    cpu: dict[str, list[list[float]]] = {}
    for name, rows in said["processes"].items():
        cpu[name] = []
        for before, after in pairwise(rows):
            used = after[1] - before[1] if after[1] >= before[1] else after[1]
            cpu[name].append([after[0] / 1000, used * 100 / ((after[0] - before[0]) / 1000)])
    return {"throughput": throughput, "latency": latency, "lag": lag, "cpu": cpu}


def ways(device: dict[str, Any], number: int, title: str) -> list[float]:
    """How long one message took, or nothing if it did not arrive."""
    if title == "device to PUBACK":
        arrived = [device["acked"][number]] if device["acked"][number] is not None else []
    else:
        arrived = [ms for each, ms in device["groups"]["a"] if each == number][:1]
    return [ms - device["sent"][number] for ms in arrived]


def assert_same(plotted: dict[str, Any], expected: dict[str, dict[str, list[list[float]]]]) -> None:
    for key, lines in expected.items():
        assert list(plotted[key]) == list(lines)
        for name, points in lines.items():
            assert len(plotted[key][name]) == len(points) > 0, (key, name)
            for found, wanted in zip(plotted[key][name], points, strict=True):
                assert found == pytest.approx(wanted, abs=1e-6), (key, name)


@pytest.mark.parametrize("clock", [True, False])
def test_every_point_is_what_the_ledger_says(said: dict[str, Any], tmp_path: Path, clock: bool) -> None:
    stage = loaded(made.ledger(said, clock=clock), tmp_path).stages[0]
    plotted = series(stage)
    assert plotted["step_s"] == 1
    assert_same(plotted, naive(said, made.OFFSET_MS if clock else None))
    assert plotted["events"] == [[3.2, "consumer a stopped"], [9.1, "consumer a continued"]]


def test_with_qos_0_nothing_is_acknowledged(tmp_path: Path) -> None:
    said = made.stage(qos=0)
    assert_same(series(loaded(made.ledger(said), tmp_path).stages[0]), naive(said, made.OFFSET_MS))


def test_a_long_stage_has_longer_steps_and_the_same_messages(tmp_path: Path) -> None:
    said = made.stage(devices=1, seconds=2 * MOST_POINTS)
    plotted = series(loaded(made.ledger(said), tmp_path).stages[0])
    assert plotted["step_s"] == 3
    assert len(plotted["throughput"]["sent"]) <= MOST_POINTS
    assert sum(rate for _second, rate in plotted["throughput"]["sent"]) * 3 == pytest.approx(2 * MOST_POINTS)
    expected = naive(said, made.OFFSET_MS, 3)
    assert_same(plotted, {key: expected[key] for key in ("throughput", "latency")})
    assert len(plotted["cpu"]["pi1 kafka"]) <= MOST_POINTS
    assert plotted["lag"]["a"][-1] == [said["group_lag"]["a"][-1][0] / 1000, 0], "the lag at the end is never left out"


def test_a_record_that_is_stored_before_the_stage_began_is_plotted(tmp_path: Path) -> None:
    said = made.stage()
    said["devices"]["sim-00001"]["stored"][0][1] = -3.0
    points = series(loaded(made.ledger(said), tmp_path).stages[0])["throughput"]["stored"]
    assert points[0] == [-1, 1.0]
    assert sum(rate for _second, rate in points) == 50


# --- what is in the page


def elements(text: str) -> ElementTree.Element:
    """The page as a tree; its markup is such that XML can read it but for void elements."""
    closed = re.sub(r"<(meta[^>]*)>", r"<\1/>", text.removeprefix("<!doctype html>"))
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', closed, re.DOTALL)
    assert data
    return ElementTree.fromstring(closed.replace(data[1], ""))  # noqa: S314 - the product has just written it


def block(text: str) -> dict[str, Any]:
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    return json.loads(found)


def made_page(said: dict[str, Any], tmp_path: Path) -> str:
    ledger = loaded(said, tmp_path)
    return page.page(ledger, judged(ledger))


def axes(svg: ElementTree.Element) -> tuple[tuple[float, float], tuple[float, float]]:
    """Of x and of y: the value at 0 px and the value of a px, by the labels of the guides, as a reader has them."""
    found = []
    for axis in ("x", "y"):
        (group,) = (each for each in svg.iter("g") if axis in each.get("class", "").split())
        guides = []
        for each in group:
            at = [float(number) for number in re.findall(r"-?[\d.]+", each.find("path").get("d"))]
            guides.append((at[0] if axis == "x" else at[1], float(each.find("text").text.replace(",", ""))))
        (low, low_value), (high, high_value) = guides[0], guides[-1]
        scale = (high_value - low_value) / (high - low)
        found.append((low_value - low * scale, scale))
    return found[0], found[1]


def drawn(svg: ElementTree.Element, index: int) -> list[tuple[float, float]]:
    """The points of a line in the units of the axes, in their order; one that stands alone is drawn twice."""
    (x0, x_scale), (y0, y_scale) = axes(svg)
    lines = [each for each in svg.iter("g") if f"serie-{index}" in each.get("class", "").split()]
    found: list[tuple[float, float]] = []
    for path in (path for line in lines for path in line.findall("path")):
        numbers = [float(number) for number in re.findall(r"-?[\d.]+", path.get("d"))]
        points = [(x0 + x * x_scale, y0 + y * y_scale) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]
        found += points[:1] if len(set(points)) == 1 else points
    return found


def test_the_plots_show_the_numbers_of_the_ledger(said: dict[str, Any], tmp_path: Path) -> None:
    text = made_page(made.ledger(said), tmp_path)
    expected = naive(said, made.OFFSET_MS)
    assert_same(block(text)["stages"][0], expected)
    figures = {each.get("class"): each for each in elements(text).iter("figure")}
    assert list(figures) == list(expected)
    for key, lines in expected.items():
        svg = figures[key].find("svg")
        names = ["".join(each.itertext()) for each in figures[key].find("ul")]
        assert names == list(lines)
        top = max(value for points in lines.values() for _second, value in points)
        for index, points in enumerate(lines.values()):
            found = drawn(svg, index)
            assert len(found) == len(points), (key, index)
            for (x, y), (second, value) in zip(found, points, strict=True):
                assert math.isclose(x, second, abs_tol=0.01), (key, index)
                assert math.isclose(y, value, abs_tol=top / 1000), (key, index)


def test_a_line_does_not_bridge_seconds_without_a_message(said: dict[str, Any], tmp_path: Path) -> None:
    figures = {each.get("class"): each for each in elements(made_page(made.ledger(said), tmp_path)).iter("figure")}
    (line,) = (each for each in figures["latency"].iter("g") if "serie-0" in each.get("class", "").split())
    assert len(line.findall("path")) == 2


def test_a_second_with_messages_between_others_without_is_seen(tmp_path: Path) -> None:
    said = made.stage(devices=1, seconds=3)
    said["devices"]["sim-00001"]["sent"][1] -= 900.0
    said["devices"]["sim-00001"]["sent"][1:] = [said["devices"]["sim-00001"]["sent"][1], 9500.0]
    said["devices"]["sim-00001"]["acked"][2] = 9502.0
    figures = {each.get("class"): each for each in elements(made_page(made.ledger(said), tmp_path)).iter("figure")}
    points = drawn(figures["latency"].find("svg"), 0)
    assert points[-1] == pytest.approx((9, 2.0), abs=0.05)


def test_events_are_marked_at_their_time_in_every_plot(said: dict[str, Any], tmp_path: Path) -> None:
    for figure in elements(made_page(made.ledger(said), tmp_path)).iter("figure"):
        svg = figure.find("svg")
        (x0, scale), _y = axes(svg)
        marks = [each for each in svg.iter("g") if each.get("class") == "event"]
        assert [each.find("text").text for each in marks] == ["1", "2"]
        assert [each.find("title").text for each in marks] == [
            "3.2 s: consumer a stopped",
            "9.1 s: consumer a continued",
        ]
        seconds = [x0 + float(each.find("text").get("x")) * scale for each in marks]
        assert seconds == pytest.approx([3.2, 9.1], abs=0.02)


def test_what_was_not_measured_is_said_in_place_of_a_plot(tmp_path: Path) -> None:
    said = made.stage()
    said["processes"] = {}
    text = made_page(made.ledger(said, clock=False), tmp_path)
    assert "No process was seen twice." in text
    assert "not comparable" in text
    assert "Stored messages are not plotted" in text


def test_the_page_says_of_each_event_what_kind_it_is_and_from_when_latency_counts(tmp_path: Path) -> None:
    events = ((1000.0, "3 times the rate for 1 s", "burst"), (2000.0, "mosquitto killed", "fault"))
    text = "".join(elements(made_page(made.ledger(made.stage(events=events)), tmp_path)).itertext())
    assert "1.0 s burst: 3 times the rate for 1 s2.0 s fault: mosquitto killed" in text
    assert "Latency counts from the moment a message was sent first." in text


class Balance(HTMLParser):
    """Fails at an element that is not closed where it was opened; collects addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.scripts: list[str | None] = []
        self.handlers: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "data")]
        self.handlers += [name for name, _value in attrs if name.startswith("on")]
        if tag == "script":
            self.scripts.append(dict(attrs).get("type"))

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_well_formed_and_needs_nothing_else(said: dict[str, Any], tmp_path: Path) -> None:
    text = made_page(made.ledger(said, made.stage(seed=2)), tmp_path)
    found = Balance()
    found.feed(text)
    found.close()
    assert found.open == []
    assert set(found.addresses) == {"#stage-1", "#stage-2"}
    assert found.scripts == ["application/json"]
    assert re.findall(r"https?:|//[a-z]|url\(|@import|file:", text) == []
    assert len(re.findall(r' id="([^"]*)"', text)) == len(set(re.findall(r' id="([^"]*)"', text)))


def test_whatever_the_ledger_says_is_only_text(tmp_path: Path) -> None:
    said = made.stage(events=((1000.0, HOSTILE, "fault"),))
    said["devices"][HOSTILE] = said["devices"].pop("sim-00001")
    said["processes"][HOSTILE] = said["processes"].pop("pi1 kafka")
    for groups in (said["group_lag"], *(device["groups"] for device in said["devices"].values())):
        groups[HOSTILE] = groups.pop("a")
    whole = {**made.ledger(said), "run": HOSTILE, "topic": HOSTILE}
    text = made_page(whole, tmp_path)
    found = Balance()
    found.feed(text)
    assert (found.scripts, found.handlers) == (["application/json"], [])
    assert set(found.addresses) == {"#stage-1"}
    assert block(text)["stages"][0]["events"] == [[1.0, HOSTILE]]
    assert f"Load test {HOSTILE}" in found.text


def test_the_page_does_not_grow_with_the_devices(tmp_path: Path) -> None:
    few = made_page(made.ledger(made.stage(devices=20, seconds=5)), tmp_path)
    many = made_page(made.ledger(made.stage(devices=2000, seconds=5)), tmp_path)
    assert len(many) < 1.1 * len(few)


def test_the_page_tells_of_the_worst_devices_and_how_many_there_are_more(tmp_path: Path) -> None:
    said = made.stage(devices=25, seconds=3)
    said["devices"]["sim-00017"]["stored"].pop()
    tree = elements(made_page(made.ledger(said), tmp_path))
    (table,) = (each for each in tree.iter("div") if each.get("aria-label") == "Devices that fared worst")
    names = [row.find("th").text for row in table.find("table").find("tbody")]
    assert (len(names), names[0]) == (20, "sim-00017")
    assert "5 more devices fared no worse" in "".join(tree.itertext())
