"""Command line: python3 -m tests.run TARGET, as `make TARGET` does."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from types import FrameType

from tests.hosts import engine, host, package
from tests.hosts.step import Failure, tell

from . import targets
from .engine import wrappers
from .stage import FAILED, PASSED, SKIPPED, Interrupted, Result, Stage, run


def main() -> int:
    """Run a target's stages; tell what ran and what did not."""
    names = [*targets.TARGETS, *targets.ON_REQUEST]
    if len(sys.argv) != 2 or sys.argv[1] not in names:
        sys.exit(f"usage: python3 -m tests.run {{{','.join(names)}}}")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    os.environ["PATH"] = f"{wrappers()}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    ask_for_sudo()
    target = sys.argv[1]
    began = time.monotonic()
    try:
        if target not in targets.KEEP_ENGINE:
            package.ensure({"git": "git"})  # of which several stages ask what the checkout holds
        stages = targets.stages(target)
    except Failure as failure:
        sys.exit(str(failure))
    results = run_all(stages, keep_engine=target in targets.KEEP_ENGINE)
    good = all(result.state != FAILED for result in results)
    if target == "demo":
        tell(how_to_go_on(good))
    if target != "demo" or not good:
        tell(table(results, time.monotonic() - began))
    if more := targets.left_out(target, [result.name for result in results if result.state != SKIPPED]):
        tell(f"not run here: {', '.join(more)}; `make test-all` runs what this machine can\n")
    print(summary(results), flush=True)
    return 0 if good else 1


def interrupt(_number: int, _frame: FrameType | None) -> None:
    """Treat a request to end like Ctrl-C."""
    raise KeyboardInterrupt


def ask_for_sudo() -> None:
    """Let sudo ask for its password now; the stages have no terminal to ask on."""
    if os.geteuid() and shutil.which("sudo") and sys.stdin.isatty():
        subprocess.run(["sudo", "--validate"], check=False)


def run_all(stages: list[Stage], *, keep_engine: bool) -> list[Result]:
    """Run what can be run, and end the engine if it was started on the way."""
    ours_before = engine.own_pid()
    results: list[Result] = []
    try:
        for stage in stages:
            results.append(run_or_skip(stage, results))
    except Interrupted as interrupted:
        results.append(interrupted.result)
        results += [Result(stage.name, SKIPPED, why="interrupted") for stage in stages[len(results) :]]
    finally:
        if not keep_engine and engine.own_pid() not in (None, ours_before):
            results.append(run(targets.engine_down()))
    return results


def run_or_skip(stage: Stage, results: list[Result]) -> Result:
    """Run a stage unless it has nothing to do or lacks one that it needs."""
    lacking = [result.name for result in results if result.name in stage.needs and result.state != PASSED]
    why = stage.absent or (f"needs {', '.join(lacking)}" if lacking else "")
    if not why:
        return run(stage)
    tell(f"\n=== {stage.name}: skipped, {why}")
    return Result(stage.name, SKIPPED, why=why)


def table(results: list[Result], seconds: float) -> str:
    """Tell of each stage how it ended."""
    width = max(len(result.name) for result in results)
    rows = [f"{result.name:{width}}  {result.state:7}  {result.seconds:7.1f} s  {result.why}" for result in results]
    return "\n".join(["", *map(str.rstrip, rows), f"{'together':{width}}  {'':7}  {seconds:7.1f} s", ""])


def summary(results: list[Result]) -> str:
    """Count the stages."""
    count = {state: sum(result.state == state for result in results) for state in (PASSED, FAILED, SKIPPED)}
    skipped = f", {count[SKIPPED]} skipped" if count[SKIPPED] else ""
    return f"{count[PASSED]} passed, {count[FAILED]} failed{skipped}"


def how_to_go_on(good: bool) -> str:
    """Say how the demo's host is reached and removed."""
    if not good:
        return "The demo did not come up. `make demo` tries again, `make demo-down` removes what is there."
    (pi,) = host.find("demo")
    return "\n".join(
        [
            f"The gateway takes messages at {pi.address}:9092, from this machine only.",
            f"  Log in:     {targets.login(pi)}",
            f"  Run again:  PATH={targets.bin_directory()}:$PATH {targets.DEPLOY}",
            "  Remove it:  make demo-down",
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
