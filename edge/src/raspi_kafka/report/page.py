"""The report as one HTML file that needs nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import words
from .markup import element, html, table
from .plot import Plot, draw
from .series import series
from .verdict import FAILED, INVALID, PASSED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from xml.etree.ElementTree import Element

    from .ledger import Ledger, Stage
    from .words import Judged

CSS = Path(__file__).with_name("page.css")
# Whatever a name in the ledger is, a browser fetches and runs nothing for it.
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
CLASSES = {PASSED: "passed", FAILED: "failed", INVALID: "invalid", words.NOT_THERE: "absent"}
PLOTS = {
    "throughput": ("Throughput", "messages per second"),
    "latency": ("Latency", "ms, by the second of sending"),
    "lag": ("Consumer lag", "records not yet consumed"),
    "cpu": ("CPU time", "percent of one core"),
}
NO_LINES = {
    "throughput": "No message was sent.",
    "latency": "No message arrived.",
    "lag": "No consumer group was looked at.",
    "cpu": "No process was seen twice.",
}


def page(ledger: Ledger, stages: Sequence[Judged]) -> str:
    """Return the HTML of a run."""
    plotted = [series(each.stage) for each in stages]
    name = f"Load test {ledger.run}"
    parts = [part(number, each, plotted[number - 1]) for number, each in enumerate(stages, 1)]
    body = element("main", header(name, ledger, stages), overview(stages), *parts)
    return html(element("html", head(name), element("body", body, data(plotted)), lang="en"))


def head(name: str) -> Element:
    """Return what the browser is told."""
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", name),
        element("style", CSS.read_text(encoding="utf-8")),
    )


def data(plotted: Sequence[dict[str, Any]]) -> Element:
    """Return every plotted number, for whoever wants to compute with them."""
    text = json.dumps({"stages": plotted}, separators=(",", ":"))
    # Within a script element `<` could begin an end tag, and HTML knows no escape there; JSON does.
    return element("script", text.replace("<", "\\u003c"), type="application/json", id="data")


def header(name: str, ledger: Ledger, stages: Sequence[Judged]) -> Element:
    """Return what was run, where and with what, and the end of it."""
    states = [each.verdict.state for each in stages]
    counts = [f"{states.count(state)} of {len(states)} {state}" for state in CLASSES if state in states]
    worst = next(state for state in (FAILED, INVALID, PASSED) if state in states)
    facts = [element("div", element("dt", what), element("dd", text)) for what, text in words.head(ledger)]
    return element(
        "header",
        element("h1", name),
        element("p", badge(worst), " ", f"Stages: {', '.join(counts)}.", class_="lead"),
        element("dl", *facts, class_="facts"),
    )


def badge(state: str) -> Element:
    """Return a state that stands out."""
    return element("span", state, class_=f"badge {CLASSES[state]}")


def overview(stages: Sequence[Judged]) -> Element:
    """Return all stages beside each other, and which claim held in which."""
    rows = []
    for number, each in enumerate(stages, 1):
        devices, state, *numbers = words.summary(each)
        rows.append([element("a", devices, href=f"#stage-{number}"), badge(state), *numbers])
    return element(
        "section",
        element("h2", "Stages"),
        table(words.SUMMARY, rows, "All stages"),
        *reasons(stages),
        element("h2", "Claims"),
        table(("Claim", *(f"{each.stage.devices_wanted:,}" for each in stages)), matrix(stages), "Claims by stage"),
        class_="overview",
    )


def reasons(stages: Sequence[Judged]) -> list[Element]:
    """Return what did not hold, where, and by which numbers."""
    items = [
        element("li", element("a", words.title(each.stage), href=f"#stage-{number}"), f": {row.claim}: {row.evidence}")
        for number, each in enumerate(stages, 1)
        for row in each.verdict.failed
    ]
    return [element("h3", "What did not hold"), element("ul", *items, class_="reasons")] if items else []


def matrix(stages: Sequence[Judged]) -> list[list[Element | str]]:
    """Return a line per claim with its state in each stage."""
    by_claim: dict[str, list[Element | str]] = {}
    for number, each in enumerate(stages):
        for row in (each.verdict.generator, *each.verdict.rows):
            cells = by_claim.setdefault(row.claim, ["-" for _stage in stages])
            cells[number] = badge(words.held(row))
    return [[claim, *cells] for claim, cells in by_claim.items()]


def part(number: int, each: Judged, plotted: dict[str, Any]) -> Element:
    """Return all of one stage."""
    claims = [[row.claim, badge(words.held(row)), row.evidence] for row in (each.verdict.generator, *each.verdict.rows)]
    more = len(each.findings.devices) - words.WORST
    rest = f"{more:,} more devices fared no worse; the ledger has them." if more > 0 else "These are all devices."
    step = plotted["step_s"]
    return element(
        "section",
        element("h2", words.title(each.stage), " ", badge(each.verdict.state), id=f"stage-{number}"),
        table(("Claim", "Held", "Proof"), claims, "Claims and proofs", "claims"),
        *events(each.stage),
        element("div", *(figure(key, plotted) for key in PLOTS), class_="plots"),
        element("p", words.axis(step), class_="note"),
        *unplotted(each.stage),
        element("h3", "Latency"),
        table(words.LATENCIES, words.latencies(each), "Latency"),
        element("p", words.LATENCY_FROM, class_="note"),
        element("h3", "Processes"),
        table(words.USAGE, words.usage(each), "Processes"),
        element("h3", "Devices"),
        table(words.device_heads(each.stage), words.devices(each), "Devices that fared worst"),
        element("p", rest, class_="note"),
        *real(each),
    )


def real(each: Judged) -> list[Element]:
    """Return what real devices sent beside."""
    if not each.findings.real:
        return []
    shown = table(words.REAL, words.real(each), "Real devices")
    return [element("h3", "Real devices"), shown, element("p", words.REAL_FROM, class_="note")]


def events(stage: Stage) -> list[Element]:
    """Return what was done on purpose, by the numbers that it has in the plots."""
    rows = [element("li", element("b", when), " ", text) for when, text in words.events(stage)]
    return [element("h3", "Events"), element("ol", *rows, class_="events")] if rows else []


def figure(key: str, plotted: dict[str, Any]) -> Element:
    """Return one plot with its legend."""
    title, unit = PLOTS[key]
    # Samples of lag and CPU time come when they come.
    step_s = plotted["step_s"] if key in ("throughput", "latency") else 0
    plot = Plot(title, unit, span(plotted), plotted[key], plotted["events"], step_s)
    caption = element("figcaption", element("b", title), f", {unit}")
    if not plot.points:
        return element("figure", caption, element("p", NO_LINES[key], class_="note"), class_=key)
    keys = [element("li", element("i", class_=f"serie-{at}"), name) for at, name in enumerate(plot.lines)]
    return element("figure", caption, element("ul", *keys, class_="legend"), draw(plot), class_=key)


def span(plotted: dict[str, Any]) -> tuple[float, float]:
    """Return the first and the last second of all plots of a stage, so that they can be compared by eye."""
    seconds = [point[0] for key in PLOTS for line in plotted[key].values() for point in line]
    seconds += [when for when, _text in plotted["events"]]
    return min([0, *seconds]), max([1, *seconds])


def unplotted(stage: Stage) -> list[Element]:
    """Say what the plots lack."""
    lacking = words.unplotted(stage)
    return [element("p", lacking, class_="note")] if lacking else []
