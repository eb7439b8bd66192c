"""What a page tells its reader to type, and where, read as the reader reads it.

Commands stand in blocks marked `sh`. The paragraph before one says where they are typed, "on the Pi" or "on your
computer", and whether that is in the checkout. Where our tests do not run a block, its first line says why.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.hosts import cache
from tests.hosts.step import Failure

README = cache.REPOSITORY / "README.md"
DOCS = sorted((cache.REPOSITORY / "docs").glob("*.md"))
COMMANDS = "sh"
NO_COMMANDS = ("text", "python", "yaml")
PI, COMPUTER = "on the Pi", "on your computer"
CHECKOUT = "checkout"
NOT_RUN = "# not run by our tests: "


class Block(NamedTuple):
    """Commands that are typed one after the other."""

    name: str
    """Page and line."""
    section: str
    said: str
    """The paragraph before it."""
    lines: list[str]
    not_run: str = ""
    """Why our tests leave it out."""

    @property
    def place(self) -> str:
        """Where it is typed; refused where a reader could not tell."""
        places = [place for place in (PI, COMPUTER) if place.lower() in self.said.lower()]
        if len(places) != 1:
            why = f"the paragraph before it has {' and '.join(places) or 'neither'}"
            raise Failure(f"{self.name}: where is it typed", why, f"write {PI!r} or {COMPUTER!r} there")
        return places[0]

    @property
    def in_checkout(self) -> bool:
        return CHECKOUT in self.said


def blocks(page: Path) -> list[Block]:
    """Return the commands of a page, from its top to its bottom."""
    found, section, said = [], "", ""
    tokens = MarkdownIt().parse(page.read_text(encoding="utf-8"))
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.type in ("fence", "code_block"):
            name = f"{page.name}:{token.map[0] + 1}"
            found += [block(name, section, said, token.content)] if has_commands(name, token) else []
            said = ""
        elif token.type == "inline" and before.type == "heading_open":
            section, said = token.content, ""
        elif token.type == "inline":
            said = " ".join(token.content.split())
    return found


def has_commands(name: str, token: Token) -> bool:
    """Tell commands from what is shown; a block of another kind could hide commands from us."""
    if token.info not in (COMMANDS, *NO_COMMANDS):
        why = f"it is marked {token.info!r}" if token.info else "it is not marked"
        raise Failure(f"{name}: are these commands", why, f"mark it as one of {', '.join((COMMANDS, *NO_COMMANDS))}")
    return token.info == COMMANDS


def block(name: str, section: str, said: str, content: str) -> Block:
    """Read the lines of a block."""
    reason = content.splitlines()[0].removeprefix(NOT_RUN) if content.startswith(NOT_RUN) else ""
    return Block(name, section, said, [line for line in content.splitlines() if command(line)], reason.strip())


def command(line: str) -> str:
    """Return the command of a line, without what a shell takes for a comment."""
    words = shlex.shlex(line, posix=False)
    words.whitespace_split = True
    return " ".join(words)


def shown(page: Path, first: str) -> list[str]:
    """Return the lines of the output that a page shows, and that begins so."""
    outputs = [token.content for token in MarkdownIt().parse(page.read_text(encoding="utf-8")) if token.info == "text"]
    (output,) = (output for output in outputs if output.startswith(first))
    return output.splitlines()
