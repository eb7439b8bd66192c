"""A terminal does what a person's does: lines share a shell, questions are answered, and a missing one is noticed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hosts import host
from tests.hosts.computer import CTRL_C, HOME, Terminal


@pytest.fixture
def terminal(pi: host.Host) -> Iterator[Terminal]:
    """Return a terminal on a host, at home."""
    with Terminal(pi, HOME) as terminal:
        yield terminal


def test_what_a_line_sets_is_there_for_the_next(terminal: Terminal) -> None:
    assert terminal.type("cd /tmp; name=desk  # a comment").code == 0
    run = terminal.type('echo "$name is in $PWD"; false')
    assert (run.code, "\ndesk is in /tmp\n" in run.output) == (1, True)


def test_questions_are_answered_in_their_order(terminal: Terminal) -> None:
    called = []
    line = "read -p 'Who? ' who; read -p 'Where? ' where; echo $where:$who; sleep 600"
    run = terminal.type(line, ("Who? ", "pi"), ("Where? ", "here"), ("here:pi", lambda: called.append(1)), ("", CTRL_C))
    assert (run.code, called) == (130, [1])


def test_a_question_that_never_comes_fails(terminal: Terminal) -> None:
    with pytest.raises(AssertionError, match="it never said 'Where to'"):
        terminal.type("read -p 'Who? ' who", ("Who? ", "pi"), ("Where to", "here"))
