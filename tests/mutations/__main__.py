"""Command line: python3 -m tests.mutations [--changed] [NAME...], as `make mutations` does.

A NAME is a part of a name or file. With --changed only those whose file has changed since what `make test` compares
with, and of many only a part, which the next commit's run takes another of: all of them take 20 minutes on two cores.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Container, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from tests.hosts import cache
from tests.run import collection, shards, targets

from .listed import MUTATIONS
from .mutation import BrokenMutation, Mutation

CHANGED = "--changed"
# They take some four minutes.
MOST_OF_A_CHANGE = 100
SECONDS = 120
LINES_OF_A_FAILURE = 40
CAUGHT, SURVIVED, BROKEN = "caught", "SURVIVED", "BROKEN"
# The mutation itself is wrong where a test fails for one of these.
MISTAKES = re.compile(r"^E +(NameError|SyntaxError|IndentationError|ImportError|ModuleNotFoundError)\b.*", re.MULTILINE)


def main() -> int:
    """Choose and try; returns the exit code."""
    names = [word for word in sys.argv[1:] if word != CHANGED]
    chosen = [one for one in MUTATIONS if not names or any(part in one.name + one.file for part in names)]
    if not chosen:
        sys.exit(f"No mutation has {' or '.join(names)} in its name or file.")
    if CHANGED in sys.argv:
        since, what = shards.base()
        changed = of(chosen, shards.changed(since)) if since else chosen
        chosen = part(changed, MOST_OF_A_CHANGE, int(shards.git("rev-list", "--count", "HEAD") or 0))
        told = f"{len(changed)} have a file that was changed {what}"
        print(f"{len(chosen)} of {len(MUTATIONS)}: {told}; `make mutations` tries all", flush=True)
    return try_all(chosen) if chosen else 0


def try_all(chosen: list[Mutation]) -> int:
    """Try them; returns 1 if a test did not notice one."""
    with tempfile.TemporaryDirectory(prefix="raspi-kafka-mutations-") as folder:
        copies = [collection.copy(Path(folder).resolve() / str(number)) for number in range(os.cpu_count() or 1)]
        refused = unmutated(copies[0], {one.test for one in chosen})
        if refused:
            sys.exit(f"{refused}\nThe tests must pass before anything is taken out of the product.")
        ends = attempts(copies, chosen)
    caught = ends.count(CAUGHT)
    print(f"{caught} passed, {len(ends) - caught} failed", flush=True)
    return 0 if caught == len(ends) else 1


def of(mutations: Iterable[Mutation], files: Container[str]) -> list[Mutation]:
    """Return those that change one of the files."""
    return [one for one in mutations if one.file in files]


def part(mutations: Sequence[Mutation], most: int, turn: int) -> list[Mutation]:
    """Return so many at most, from all over the list; each turn has others until all had theirs."""
    step = -(-len(mutations) // most) or 1
    return list(mutations[turn % step :: step])


def unmutated(copy: Path, tests: Iterable[str]) -> str:
    """Why the tests say nothing: the end of their output if they fail without a mutation."""
    code, output = run_tests(copy, sorted(tests))
    return "\n".join(output.splitlines()[-LINES_OF_A_FAILURE:]) if code else ""


def attempts(copies: list[Path], mutations: list[Mutation]) -> list[str]:
    """How each mutation ended; each copy has one mutation at a time."""
    free: SimpleQueue[Path] = SimpleQueue()
    for copy in copies:
        free.put(copy)

    def one(mutation: Mutation) -> str:
        copy = free.get()
        try:
            return attempt(copy, mutation)
        finally:
            free.put(copy)

    with ThreadPoolExecutor(len(copies)) as pool:
        return list(pool.map(one, mutations))


def attempt(copy: Path, mutation: Mutation) -> str:
    """Run a mutation's test without what the mutation takes away, and tell how that ended."""
    began = time.monotonic()
    try:
        with mutation.applied(copy):
            code, output = run_tests(copy, [mutation.test])
        end, why = judge(code, output)
    except BrokenMutation as broken:
        end, why = BROKEN, str(broken)
    except subprocess.TimeoutExpired:
        end, why = BROKEN, f"the test took more than {SECONDS} s"
    hint = f"; {mutation.file}, {mutation.test}{': ' * bool(why)}{why}" if end != CAUGHT else ""
    print(f"{end:8}  {mutation.name} ({time.monotonic() - began:.1f} s{hint})", flush=True)
    return end


def judge(code: int, output: str) -> tuple[str, str]:
    """How a mutation ended, and why it shows nothing if so; `code` and `output` are pytest's.

    Only a test that ran and failed has noticed something: one that cannot be collected or set up has not.
    """
    if code == 0:
        return SURVIVED, ""
    if code != 1 or not re.search(r"^FAILED ", output, re.MULTILINE):
        return BROKEN, f"pytest ended with {code}, and no test failed"
    if mistake := MISTAKES.search(output):
        return BROKEN, mistake[0]
    return CAUGHT, ""


def run_tests(copy: Path, tests: list[str]) -> tuple[int, str]:
    """Run tests of the copy with the environment's pytest; returns its exit code and output.

    :raises subprocess.TimeoutExpired: one of them hangs.
    """
    command = [targets.bin_directory() / "pytest", "-x", "-q", "-rf", "-p", "no:cacheprovider", *tests]
    environment = {
        **targets.environment(),
        "PYTHONPATH": f"{copy}{os.pathsep}{copy / '.collections'}",
        "ANSIBLE_COLLECTIONS_PATH": str(copy / ".collections"),
        "RASPI_KAFKA_CACHE": str(cache.directory()),
        # Files change within a second and keep their size, by which compiled ones would be taken for current.
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        command, cwd=copy, env=environment, capture_output=True, text=True, timeout=SECONDS * len(tests), check=False
    )
    return done.returncode, done.stdout + done.stderr


if __name__ == "__main__":
    sys.exit(main())
