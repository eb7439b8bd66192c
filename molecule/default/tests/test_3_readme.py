"""The examples of the README, run as a reader runs them: on another machine than the Pi."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hosts import cache, host

README = cache.REPOSITORY / "README.md"
EXAMPLES = sorted((cache.REPOSITORY / "examples").glob("*.py"))


def example(name: str, pi: host.Host) -> list[str]:
    return [sys.executable, str(cache.REPOSITORY / "examples" / name), f"{pi.address}:9092"]


@pytest.fixture
def consumer(pi: host.Host) -> Iterator[subprocess.Popen[str]]:
    """Return a running consume.py; reading from it ends after half a minute at the latest."""
    limited = ["timeout", "30", *example("consume.py", pi)]
    with subprocess.Popen(limited, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.terminate()


def produced(pi: host.Host) -> list[str]:
    """Run produce.py and return the readings that it says are stored."""
    output = subprocess.check_output(example("produce.py", pi), text=True, timeout=60)
    return [line.removeprefix("stored ") for line in output.splitlines()]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_readme_shows_the_examples_as_they_are_and_they_are_short(path: Path) -> None:
    code = path.read_text()
    assert f"```python\n{code}```\n" in README.read_text()
    assert len(code.splitlines()) < 15


def test_consume_prints_what_produce_has_sent_before_and_sends_meanwhile(
    pi: host.Host, request: pytest.FixtureRequest
) -> None:
    before = produced(pi)
    assert len(before) == 10
    consumer = request.getfixturevalue("consumer")  # starts now, after these ten
    await_lines(consumer, before)
    await_lines(consumer, produced(pi))


def await_lines(process: subprocess.Popen[str], wanted: list[str]) -> None:
    """Read until all have come, in this order; a reading has its time, so no two are alike."""
    seen = []
    for line in process.stdout:
        seen += [line.strip()] if line.strip() in wanted else []
        if seen == wanted:
            return
    raise AssertionError(f"consume.py ended; of {wanted} it printed {seen}")
