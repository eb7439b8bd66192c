"""The stand-in that is measured."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from typing import Any

from tests.hosts import host
from tests.hosts.play import Run, playbook
from tests.hosts.step import Failure, run, step

# As kafka-run-class.sh of Kafka 4.1 starts each JVM; JMX is on, as there.
JVM = (
    "-server -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35 "
    "-XX:+ExplicitGCInvokesConcurrent -XX:MaxInlineLevel=15 -Djava.awt.headless=true "
    "-Dcom.sun.management.jmxremote=true -Dcom.sun.management.jmxremote.authenticate=false "
    "-Dcom.sun.management.jmxremote.ssl=false"
)
CLASS_PATH = "-cp '/opt/kafka/current/libs/*'"


def ready(name: str) -> host.Host:
    """Boot the stand-in, and deploy what is in this checkout."""
    host.up(name)
    with step(f"deploy to {name}"):
        deploy(name)
    return host.find(name)[0]


def deploy(name: str) -> tuple[Run, float]:
    """Run site.yml; returns what it did and the seconds that it took. Its output is no part of the tables."""
    began = time.monotonic()
    with contextlib.redirect_stdout(sys.stderr):
        run = playbook(name, timeout=1800)
    if run.code:
        remedy = f"look at it: python3 -m tests.hosts up {name}"
        raise Failure(f"cannot deploy to {name}", "its output is above", remedy)
    return run, time.monotonic() - began


def root(pi: host.Host, command: str) -> str:
    """Run a shell command on it as root."""
    what = f"cannot run {command!r} on {pi.container}"
    return run(["docker", "exec", pi.container, "sh", "-ec", command], what, "run it by hand").strip()


def program(pi: host.Host, code: str, *arguments: str) -> Any:
    """Run Python on it, in the environment that has kafka-python; what it prints is JSON."""
    python = ["docker", "exec", "-i", pi.container, "/opt/raspi-kafka/venv/bin/python", "-", *arguments]
    return json.loads(run(python, "cannot measure", "read its error", stdin=code))


def alternate(pi: host.Host, code: str, rounds: int, ours: list[str], stock: list[str]) -> list[list[dict[str, float]]]:
    """Measure one after the other, again and again, so that a busy machine hits both."""
    measured: list[list[dict[str, float]]] = [[], []]
    for _round in range(rounds):
        for results, arguments in zip(measured, (ours, stock), strict=True):
            results.append(program(pi, code, *arguments))
    return measured


def wall(command: list[str], what: str) -> float:
    """Seconds that a command of the control node takes."""
    began = time.monotonic()
    run(command, what, "run it by hand")
    return time.monotonic() - began
