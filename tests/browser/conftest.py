"""A browser without a network, and the page of a report in it."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import sync_playwright
from raspi_kafka.cli import main

from tests.hosts import package
from tests.unit.edge import ledgers as made

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

DESK, PHONE = (1280, 900), (390, 844)


@dataclass
class Shown:
    """A page in a window, what it complained of, and what it asked for."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


def faulty() -> dict[str, Any]:
    """A stage with a loss, a duplicate, a message without acknowledgement, and planted faults."""
    events = ((8000.0, "consumer a stopped", "fault"), (21_000.0, "it goes on", "fault"))
    said = made.stage(seed=3, devices=60, seconds=30, events=events)
    for device in said["devices"].values():
        device["groups"]["a"] = [
            [number, max(ms, 21_000.0) if ms > 8000 else ms] for number, ms in device["groups"]["a"]
        ]
    device = said["devices"]["sim-00007"]
    device["stored"].pop(11)
    device["stored"].append([3, 31_000.0])
    device["acked"][29] = None
    return said


def late() -> dict[str, Any]:
    """A stage whose generator was too slow."""
    said = made.stage(seed=4, devices=350, seconds=30)
    said["lag_ms"]["p99"] = 412.0
    return said


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run in which a stage passed, one failed and one is invalid."""
    folder = tmp_path_factory.mktemp("report")
    ledger, page = folder / "ledger.json", folder / "report.html"
    ledger.write_text(json.dumps(made.ledger(made.stage(devices=350, seconds=60), faulty(), late())))
    assert main(["report", str(ledger), "--html", str(page)]) == 1
    return page


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    package.ensure({"chromium": "chromium"})
    # Chromium's sandbox refuses to be root's.
    arguments = [] if os.geteuid() else ["--no-sandbox"]
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture
def show(browser: Browser, report: Path) -> Iterator[Callable[..., Shown]]:
    """Open the report in a window of a size, by day or by night."""
    contexts = []

    def opened(size: tuple[int, int] = DESK, scheme: str = "light") -> Shown:
        context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, offline=True)
        contexts.append(context)
        shown = Shown(context.new_page())
        shown.page.on("console", lambda message: shown.complaints.append(message.text))
        shown.page.on("pageerror", lambda error: shown.complaints.append(str(error)))
        shown.page.on("request", lambda request: shown.requests.append(request.url))
        shown.page.goto(report.as_uri())
        return shown

    yield opened
    for context in contexts:
        context.close()
