"""One refusal or check, and the text without which it is none."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml


class BrokenMutation(Exception):  # not an error of the product
    """A sentence: why a mutation shows nothing."""


@dataclass(frozen=True)
class Mutation:
    """`name` says what the product no longer does once `text`, which stands once in `file`, is the replacement."""

    name: str
    file: str
    text: str
    replacement: str
    test: str
    """Id of the test that must fail then."""

    def mutated(self, original: str) -> str:
        """The file's text without the refusal.

        :raises BrokenMutation: the text is not there or not alone, or what is left is no Python or YAML.
        """
        times = original.count(self.text)
        if times != 1:
            raise BrokenMutation(f"{self.text!r} stands {times} times in {self.file}")
        mutated = original.replace(self.text, self.replacement)
        try:
            if self.file.endswith(".py"):
                ast.parse(mutated)
            elif self.file.endswith(".yml"):
                yaml.safe_load(mutated)
        except (SyntaxError, yaml.YAMLError) as error:
            raise BrokenMutation(f"{self.file} cannot be read any more: {error}") from error
        return mutated

    @contextlib.contextmanager
    def applied(self, root: Path) -> Iterator[None]:
        """Mutate the file below `root` for as long as the block runs.

        :raises BrokenMutation: as mutated().
        """
        path = root / self.file
        original = path.read_text(encoding="utf-8")
        path.write_text(self.mutated(original), encoding="utf-8")
        try:
            yield
        finally:
            path.write_text(original, encoding="utf-8")
