"""The page of a load test's report as a reader sees it: at a desk and on a phone, by day and by night."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .conftest import DESK, PHONE, Shown

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SIZES = pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
SCHEMES = pytest.mark.parametrize("scheme", ["light", "dark"])
STAGES = 3
PLOTS = ["throughput", "latency", "lag", "cpu"]
# WCAG 2.2, 1.4.3: of text of an ordinary size.
LEAST_CONTRAST = 4.5

# Every text with its colour and that of the nearest background that is one, as [red, green, blue].
COLOURS = """() => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const seen = element => {
    for (let each = element; each; each = each.parentElement) {
      const [red, green, blue, alpha = 1] = rgb(getComputedStyle(each).backgroundColor);
      if (alpha === 1) return [red, green, blue];
    }
    return null;
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.getClientRects().length) continue;
    const style = getComputedStyle(element);
    const svg = element.closest('svg');
    const scale = svg ? svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : 1;
    found.push({
      text: walker.currentNode.data, size: scale * parseFloat(style.fontSize),
      colour: rgb(svg ? style.fill : style.color), on: seen(element),
    });
  }
  return found;
}"""

# Texts of an axis that lie on each other, and those that stick out of their plot.
COLLISIONS = """() => [...document.querySelectorAll('svg')].flatMap(svg => {
  const frame = svg.getBoundingClientRect();
  const boxes = [...svg.querySelectorAll('.axis text')].map(text => [text.textContent, text.getBoundingClientRect()]);
  const out = boxes.filter(([, box]) =>
    box.left < frame.left || box.right > frame.right || box.bottom > frame.bottom + 1);
  const hit = boxes.filter(([, one], at) => boxes.slice(at + 1).some(([, other]) =>
    one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom));
  return [...out, ...hit].map(([text]) => text);
})"""


def luminance(colour: list[float]) -> float:
    """As WCAG 2.2 defines it, of sRGB."""
    parts = [part / 255 for part in colour[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: list[float], other: list[float]) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def texts(shown: Shown) -> list[dict[str, Any]]:
    found = shown.page.evaluate(COLOURS)
    assert len(found) > 300
    return found


@SIZES
@SCHEMES
def test_it_asks_for_nothing_and_complains_of_nothing(
    show: Callable[..., Shown], report: Path, size: tuple[int, int], scheme: str
) -> None:
    shown = show(size, scheme)
    shown.page.wait_for_load_state("networkidle")
    assert shown.requests == [report.as_uri()]
    assert shown.complaints == []


@SIZES
def test_every_plot_is_seen_with_all_its_lines(show: Callable[..., Shown], size: tuple[int, int]) -> None:
    page = show(size).page
    figures = page.locator("figure")
    assert [each.get_attribute("class") for each in figures.all()] == PLOTS * STAGES
    for figure in figures.all():
        box = figure.locator("svg").bounding_box()
        assert box is not None
        assert box["width"] > 300
        assert box["height"] > 130
        lines = figure.locator("svg .series").all()
        assert len(lines) == figure.locator(".legend li").count() > 0
        for line in lines:
            assert line.evaluate("each => each.getBoundingClientRect().width") > box["width"] / 3
            stroke = line.locator("path").first.evaluate("each => getComputedStyle(each).stroke")
            assert stroke.startswith("rgb(")


@SIZES
@SCHEMES
def test_each_line_of_a_plot_has_the_colour_of_its_legend(
    show: Callable[..., Shown], size: tuple[int, int], scheme: str
) -> None:
    page = show(size, scheme).page
    for figure in page.locator("figure").all():
        drawn = figure.evaluate(
            "each => [...each.querySelectorAll('svg .series')].map("
            "line => getComputedStyle(line.querySelector('path')).stroke)"
        )
        named = figure.evaluate(
            "each => [...each.querySelectorAll('.legend i')].map(mark => getComputedStyle(mark).borderTopColor)"
        )
        assert drawn == named
        assert len(set(drawn)) == len(drawn) / (2 if figure.get_attribute("class") == "latency" else 1)


@SIZES
def test_the_verdicts_can_be_read(show: Callable[..., Shown], size: tuple[int, int]) -> None:
    page = show(size).page
    assert page.locator("header .badge").inner_text() == "failed"
    verdicts = page.locator("section h2 .badge")
    assert verdicts.all_inner_texts() == ["passed", "failed", "invalid: generator"]
    for badge in verdicts.all():
        assert badge.is_visible()
    lost = page.get_by_text("1 of 1,799 acknowledged, not stored (sim-00007 seq 11)").last
    lost.scroll_into_view_if_needed()
    box = lost.bounding_box()
    assert box is not None
    assert 0 <= box["x"] < box["x"] + box["width"] <= size[0]


@SIZES
def test_nothing_is_wider_than_the_window(show: Callable[..., Shown], size: tuple[int, int]) -> None:
    page = show(size).page
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    wide = page.evaluate(
        "width => [...document.querySelectorAll('body *')].filter(each => !each.closest('.scroll, svg')"
        " && each.getBoundingClientRect().right > width).map(each => each.outerHTML.slice(0, 80))",
        size[0],
    )
    assert wide == []


@SIZES
def test_labels_of_axes_do_not_lie_on_each_other(show: Callable[..., Shown], size: tuple[int, int]) -> None:
    assert show(size).page.evaluate(COLLISIONS) == []


@SIZES
@SCHEMES
def test_every_text_stands_out_and_is_not_too_small(
    show: Callable[..., Shown], size: tuple[int, int], scheme: str
) -> None:
    found = texts(show(size, scheme))
    faint = [each for each in found if contrast(each["colour"], each["on"]) < LEAST_CONTRAST]
    assert faint == []
    assert [each for each in found if each["size"] < 12] == []


def test_by_night_the_page_is_dark(show: Callable[..., Shown]) -> None:
    shown = {scheme: texts(show(DESK, scheme)) for scheme in ("light", "dark")}
    assert min(luminance(each["on"]) for each in shown["light"]) > 0.5
    assert max(luminance(each["on"]) for each in shown["dark"]) < 0.1


def test_the_pointer_shows_the_numbers_of_a_second(show: Callable[..., Shown]) -> None:
    page = show(DESK).page
    column = page.locator("figure.throughput").first.locator(".columns rect").nth(10)
    column.hover()
    assert column.evaluate("each => getComputedStyle(each).fill") != "rgba(0, 0, 0, 0)"
    said = column.locator("title").evaluate("each => each.textContent").splitlines()
    assert [line.partition(":")[0] for line in said] == ["10 s", "sent", "acked", "stored", "consumed a", "consumed b"]


def test_a_stage_is_a_click_away(show: Callable[..., Shown]) -> None:
    page = show(PHONE).page
    page.get_by_role("link", name="60", exact=True).click()
    heading = page.locator("#stage-2")
    top = heading.evaluate("each => each.getBoundingClientRect().top")
    assert 0 <= top < PHONE[1] / 2
    assert "60 devices" in heading.inner_text()
