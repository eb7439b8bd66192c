"""HTML as a tree: what is put into it is text, whatever it looks like."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    from collections.abc import Iterable
    from xml.etree.ElementTree import Element


def element(tag: str, *content: Element | str, **attributes: str) -> Element:
    """Return an element; an underscore at the end of an attribute's name is dropped, another becomes a hyphen."""
    made = ElementTree.Element(tag, {name.rstrip("_").replace("_", "-"): text for name, text in attributes.items()})
    for each in content:
        append(made, each)
    return made


def append(parent: Element, child: Element | str) -> None:
    """Add an element or a text behind what is there."""
    if not isinstance(child, str):
        parent.append(child)
    elif len(parent):
        parent[-1].tail = (parent[-1].tail or "") + child
    else:
        parent.text = (parent.text or "") + child


def table(heads: Iterable[str], rows: Iterable[Iterable[Element | str]], label: str, kind: str = "numbers") -> Element:
    """Return a table that scrolls by itself where the page is too narrow; the first cell of a row heads it."""
    head = element("thead", element("tr", *(element("th", text, scope="col") for text in heads)))
    body = element("tbody", *(table_row(*row) for row in rows))
    # One can scroll by keyboard only what can have the focus.
    attributes = {"class_": "scroll", "tabindex": "0", "role": "region", "aria_label": label}
    return element("div", element("table", head, body, class_=kind), **attributes)


def table_row(head: Element | str, *cells: Element | str) -> Element:
    """Return a row of a table."""
    return element("tr", element("th", head, scope="row"), *(element("td", cell) for cell in cells))


def html(root: Element) -> str:
    """Return the text of a page."""
    return f"<!doctype html>\n{ElementTree.tostring(root, encoding='unicode', method='html')}\n"
