"""From files to a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import ledger as ledgers
from . import page, table
from .findings import find
from .ledger import LedgerError
from .usage import merged
from .verdict import exit_code, judge
from .words import Judged

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import TextIO

    from .ledger import Ledger


def report(ledger: Ledger, html: Path | None, processes: Iterable[Path], file: TextIO) -> int:
    """Print the table, write the page if it is wanted, and return the exit code.

    :raises LedgerError: an input is wrong, or the page can't be written.
    """
    for each in processes:
        ledger = with_samples(ledger, each)
    stages = judged(ledger)
    if html:
        write(html, page.page(ledger, stages))
    table.show(ledger, stages, file)
    return exit_code(each.verdict for each in stages)


def judged(ledger: Ledger) -> list[Judged]:
    """Return each stage with what it shows and its verdict."""
    found = [(stage, find(stage)) for stage in ledger.stages]
    return [Judged(stage, findings, judge(stage, findings)) for stage, findings in found]


def with_samples(ledger: Ledger, path: Path) -> Ledger:
    """Return the ledger with the processes of a file.

    :raises LedgerError: they do not fit it.
    """
    samples = ledgers.load_samples(path)
    try:
        return merged(ledger, samples)
    except LedgerError as wrong:
        raise LedgerError(f"{path}: {wrong}") from wrong


def write(path: Path, text: str) -> None:
    """Write a file.

    :raises LedgerError: it can't be.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as wrong:
        raise LedgerError(f"{path}: it can't be written: {wrong.strerror}; give --html another file") from wrong
