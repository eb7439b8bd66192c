"""The list of mutations fits product and tests, and a mutation that shows nothing is told from one that does."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests.mutations.__main__ import BROKEN, CAUGHT, SURVIVED, judge, of, part
from tests.mutations.listed import MUTATIONS
from tests.mutations.mutation import BrokenMutation, Mutation

REPOSITORY = Path(__file__).parents[3]


def test_each_text_stands_once_and_leaves_a_file_that_can_be_read() -> None:
    for one in MUTATIONS:
        text = (REPOSITORY / one.file).read_text(encoding="utf-8")
        assert one.mutated(text) != text, one.name


def test_each_test_exists() -> None:
    functions = {
        f"{path.relative_to(REPOSITORY)}::{node.name}"
        for path in {REPOSITORY / one.test.partition("::")[0] for one in MUTATIONS}
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
    }
    assert [one.test for one in MUTATIONS if one.test.partition("[")[0] not in functions] == []


def test_each_name_is_one_mutation() -> None:
    assert [name for name, times in Counter(one.name for one in MUTATIONS).items() if times > 1] == []


@pytest.mark.parametrize("count", [0, 1, 10, 11, 25, 30])
def test_of_many_each_turn_tries_others_until_all_had_theirs(count: int) -> None:
    every = [Mutation(str(number), "f", "a", "b", "t::t") for number in range(count)]
    turns = [part(every, 10, turn) for turn in range(7, 7 + max(1, -(-count // 10)))]
    assert all(len(one) <= 10 for one in turns)
    assert sorted(one.name for turn in turns for one in turn) == sorted(one.name for one in every)


def mutation(text: str, replacement: str) -> Mutation:
    return Mutation("a check is missing", "check.py", text, replacement, "test.py::test")


def test_a_file_is_restored_after_its_mutation(tmp_path: Path) -> None:
    path = tmp_path / "check.py"
    path.write_text("if wrong:\n    refuse()\n")
    with mutation("if wrong:", "if False:").applied(tmp_path):
        assert path.read_text() == "if False:\n    refuse()\n"
    assert path.read_text() == "if wrong:\n    refuse()\n"


@pytest.mark.parametrize(
    ("text", "replacement", "why"),
    [("if right:", "", "0 times"), ("r", "", "2 times"), ("if wrong:", "if :", "cannot be read any more")],
)
def test_a_mutation_that_does_not_fit_is_refused(text: str, replacement: str, why: str) -> None:
    with pytest.raises(BrokenMutation, match=why):
        mutation(text, replacement).mutated("if wrong:\n    refuse()\n")


def test_of_a_change_are_those_whose_file_it_touches() -> None:
    one = mutation("if wrong:", "if False:")
    assert of([one], {"check.py": 3}) == [one]
    assert of([one], {"other.py": 3}) == []


FAILED = "E   Failed: DID NOT RAISE\n=== short test summary info ===\nFAILED test.py::test - Failed: DID NOT RAISE\n"


@pytest.mark.parametrize(
    ("code", "output", "end"),
    [
        (0, "1 passed\n", SURVIVED),
        (1, FAILED, CAUGHT),
        (1, "ERROR test.py::test - a fixture\n", BROKEN),
        (1, "E       NameError: name 'x' is not defined\n" + FAILED, BROKEN),
        (2, "ERROR test.py - SyntaxError\n", BROKEN),
        (4, "ERROR: not found: test.py::test\n", BROKEN),
        (5, "no tests ran\n", BROKEN),
    ],
)
def test_only_a_test_that_ran_and_failed_has_noticed(code: int, output: str, end: str) -> None:
    assert judge(code, output)[0] == end
