"""The report for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from . import words
from .verdict import FAILED, INVALID, PASSED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TextIO

    from .ledger import Ledger
    from .verdict import Row
    from .words import Judged

WIDTH = 120
COLOURS = {PASSED: "green", FAILED: "bold red", INVALID: "bold yellow"}


def show(ledger: Ledger, stages: Sequence[Judged], file: TextIO) -> None:
    """Print all of a run; a file that is no terminal gets no colours."""
    console = Console(file=file, highlight=False)
    console.width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    console.print(pairs(words.head(ledger)))
    console.print(grid(words.SUMMARY, [words.summary(each) for each in stages]))
    for each in stages:
        console.print(Text.assemble((words.title(each.stage), "bold"), ": ", state(each.verdict.state)))
        console.print(claims([each.verdict.generator, *each.verdict.rows]))
        for when, text in words.events(each.stage):
            console.print(Text(f"  at {when}: {text}"))
        console.print(grid(words.LATENCIES, words.latencies(each)))
        if each.findings.usage:
            console.print(grid(words.USAGE, words.usage(each)))
        if each.findings.real:
            console.print(grid(words.REAL, words.real(each)))


def state(name: str) -> Text:
    """Return a state in its colour."""
    return Text(name, COLOURS.get(name, ""))


def pairs(rows: Iterable[tuple[str, str]]) -> Table:
    """Return names and what they are."""
    made = Table.grid(padding=(0, 2))
    for name, text in rows:
        made.add_row(Text(name, "bold"), Text(text))
    return made


def claims(rows: Iterable[Row]) -> Table:
    """Return claims, whether they held, and what proves it."""
    made = Table(box=box.SIMPLE, show_header=False)
    for row in rows:
        made.add_row(state(words.held(row)), Text(row.claim), Text(row.evidence))
    return made


def grid(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Return a table whose first column says what its numbers are about."""
    made = Table(box=box.SIMPLE)
    for at, head in enumerate(heads):
        made.add_column(head, justify="right" if at else "left")
    for row in rows:
        made.add_row(*(state(cell) for cell in row))
    return made
