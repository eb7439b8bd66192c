"""One plot as SVG that takes its colours from the page."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.etree import ElementTree

import pygal

from .markup import element

if TYPE_CHECKING:
    from collections.abc import Sequence
    from xml.etree.ElementTree import Element

    Points = Sequence[Sequence[float]]

WIDTH, HEIGHT, LABEL_PX = 640, 300, 21
MARGIN = {"margin": 6, "margin_top": 26, "margin_right": 18}
TICKS_X, TICKS_Y = 8, 5
# So many steps between two points of a line are a gap that the line does not bridge.
GAP_STEPS = 1.5
NAMESPACES = re.compile(r' xmlns(:\w+)?="[^"]*"')
COORDINATES = re.compile(r"-?[\d.]+")


@dataclass(frozen=True)
class Plot:
    """What is to be drawn.

    :ivar span_s: from the first second to the last one that the plot shows.
    :ivar lines: by their names; [seconds, value] each.
    :ivar events: [seconds, text] each.
    :ivar step_s: seconds from one point to the next; more between two are a gap. 0: the points have no fixed distance.
    """

    title: str
    unit: str
    span_s: tuple[float, float]
    lines: dict[str, Points]
    events: Sequence[Sequence[Any]]
    step_s: float

    @property
    def points(self) -> list[Sequence[float]]:
        """Those of all lines."""
        return [point for each in self.lines.values() for point in each]


class Plane(NamedTuple):
    """Where a point is drawn: at x0 + x * x_scale and y0 + y * y_scale."""

    x0: float
    x_scale: float
    y0: float
    y_scale: float

    def x(self, value: float) -> float:
        return self.x0 + value * self.x_scale


def draw(plot: Plot) -> Element:
    """Return a plot as SVG, with a numbered mark for each event and the values of each second to hover over."""
    values = [y for _x, y in plot.points]
    y_ticks = ticks(min([0, *values]), max([0, *values]) or 1, TICKS_Y)
    (left, right), (bottom, top) = plot.span_s, (y_ticks[0], y_ticks[-1])
    chart = pygal.XY(
        **MARGIN,
        width=WIDTH,
        height=HEIGHT,
        no_prefix=True,
        css=(),
        js=(),
        show_legend=False,
        show_dots=False,
        allow_interruptions=True,
        xrange=(left, right),
        range=(bottom, top),
        x_labels=[tick for tick in ticks(left, right, TICKS_X) if left <= tick <= right],
        y_labels=y_ticks,
        x_value_formatter=number,
        value_formatter=number,
        style=pygal.style.Style(label_font_size=LABEL_PX, major_label_font_size=LABEL_PX),
    )
    for name, points in plot.lines.items():
        chart.add(name, interrupted(points, plot.step_s))
    chart.add("corners", [(left, bottom), (right, top)])
    svg = bare(chart.render(is_unicode=True))
    svg.attrib |= {"role": "img", "aria-label": f"{plot.title}, {plot.unit}: {', '.join(plot.lines)}"}
    area = next(each for each in svg.iter("g") if each.get("class") == "plot")
    plane = measured(taken_out(area, len(plot.lines)), (left, bottom), (right, top))
    height = float(area.find("rect").get("height"))
    area.append(element("g", *(column(each, plane, height) for each in columns(plot)), class_="columns"))
    area.extend(mark(count, event, plane, height) for count, event in enumerate(plot.events, 1))
    return svg


def bare(drawn: str) -> Element:
    """Return what pygal drew without its styles, scripts, titles and addresses."""
    svg = ElementTree.fromstring(NAMESPACES.sub("", drawn))  # noqa: S314 - pygal has just written it
    svg.attrib.pop("id")
    for parent in list(svg.iter()):
        for child in list(parent):
            empty = child.tag == "g" and not len(child)
            if child.tag in ("defs", "title") or empty:
                parent.remove(child)
    return svg


def taken_out(area: Element, index: int) -> Element:
    """Remove a line from the plot, and return it."""
    line = next(each for each in area if f"serie-{index}" in each.get("class", "").split())
    area.remove(line)
    return line


def measured(line: Element, low: tuple[float, float], high: tuple[float, float]) -> Plane:
    """Return the plane of a line from one known point to another."""
    x_low, y_low, x_high, y_high = (float(each) for each in COORDINATES.findall(line.find("path").get("d")))
    x_scale, y_scale = (x_high - x_low) / (high[0] - low[0]), (y_high - y_low) / (high[1] - low[1])
    return Plane(x_low - low[0] * x_scale, x_scale, y_low - low[1] * y_scale, y_scale)


def interrupted(points: Points, step_s: float) -> list[tuple[float, float | None]]:
    """Return points with a gap wherever some are missing; one alone is there twice, for a line needs two to be seen."""
    runs: list[list[tuple[float, float | None]]] = []
    for x, y in points:
        if not runs or (step_s and x - runs[-1][-1][0] > GAP_STEPS * step_s):
            runs.append([])
        runs[-1].append((x, y))
    whole = [run if len(run) > 1 else run * 2 for run in runs]
    return [point for run in whole for point in (*run, (run[-1][0], None))]


def ticks(least: float, most: float, count: int) -> list[float]:
    """Return round numbers from `least` or below to `most` or above, about so many."""
    rough = (most - least) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * each for each in (1, 2, 5, 10) if power * each >= rough * 0.999)
    return [round(step * each, 10) for each in range(math.floor(least / step), math.ceil(most / step) + 1)]


def number(value: float) -> str:
    """Return a number as one reads it."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def columns(plot: Plot) -> list[tuple[float, float, str]]:
    """Return where each step begins and how many seconds it takes, and the values of all lines in it."""
    step = plot.step_s or 1
    said: dict[float, list[str]] = defaultdict(list)
    for name, points in plot.lines.items():
        for x, y in points:
            said[math.floor(x / step) * step].append(f"{name}: {number(y)}")
    return [(x, step, "\n".join([f"{number(x)} s", *texts])) for x, texts in sorted(said.items())]


def column(each: tuple[float, float, str], plane: Plane, height: float) -> Element:
    """Return an area that shows its text when the pointer is over it."""
    x, seconds, text = each
    place = {"x": f"{plane.x(x) - seconds * plane.x_scale / 2:.1f}", "width": f"{seconds * plane.x_scale:.1f}"}
    return element("rect", element("title", text), y="0", height=f"{height:.0f}", **place)


def mark(count: int, event: Sequence[Any], plane: Plane, height: float) -> Element:
    """Return a line with a number at the time of an event."""
    when, text = event
    x = f"{plane.x(when):.1f}"
    line = element("path", d=f"M{x} 0 V{height:.0f}")
    return element(
        "g",
        element("title", f"{number(when)} s: {text}"),
        line,
        element("text", str(count), x=x, y="-7"),
        class_="event",
    )
