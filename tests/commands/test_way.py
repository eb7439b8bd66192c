"""A command and its answer, while nothing goes wrong but that devices come and go."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from raspi_kafka.commands.queues import PAUSE_S

from tests.bridge.process import until

from .conftest import CELLAR, HALL, KITCHEN
from .service import PYTHONPATH

if TYPE_CHECKING:
    from .conftest import Line


def test_a_device_that_is_there_gets_it_and_its_answer_is_in_kafka(line: Line) -> None:
    service = line.service()
    service.start()
    kitchen = line.device(KITCHEN).come()
    line.give(KITCHEN, "1")
    line.give(KITCHEN, "2", command="interval", args={"seconds": 2.5})
    line.give(KITCHEN, "3", command="dance")
    line.told(KITCHEN, **{"1": "done", "2": "done", "3": "refused"})
    assert [each.id for each in kitchen.got] == ["1", "2", "3"]
    assert kitchen.intervals == [2.5]
    until("nothing waits", lambda: service.metrics()["waiting"] == 0)
    assert service.metrics()["answered_total"] == 3


def test_a_device_that_is_away_gets_it_when_it_is_back(line: Line) -> None:
    service = line.service()
    service.start()
    kitchen = line.device(KITCHEN).come()
    kitchen.go()
    line.give(KITCHEN, "1", "2")
    until("the MQTT server has them", lambda: service.metrics()["handed_over_total"] == 2)
    assert kitchen.got == []
    kitchen.come()
    line.told(KITCHEN, **{"1": "done", "2": "done"})
    assert kitchen.ids == ["1", "2"]


def test_a_device_that_was_never_there_gets_it_when_it_comes_and_others_do_not_wait(line: Line) -> None:
    service = line.service()
    service.start()
    hall = line.device(HALL).come()
    line.give(KITCHEN, "1", "2")
    until("it was tried", lambda: service.metrics()["no_session_total"] >= 2, timeout=4 * PAUSE_S)
    line.give(HALL, "1")
    line.told(HALL, **{"1": "done"})
    assert [each.id for each in hall.got] == ["1"]
    kitchen = line.device(KITCHEN).come()
    line.told(KITCHEN, **{"1": "done", "2": "done"})
    assert kitchen.ids == ["1", "2"]


def test_what_has_expired_is_told_and_never_delivered(line: Line) -> None:
    service = line.service()
    service.start()
    kitchen = line.device(KITCHEN).come()
    kitchen.go()
    line.give(KITCHEN, "old", life_s=4)
    line.give(CELLAR, "old", life_s=4)
    line.give(KITCHEN, "new", life_s=120)
    line.give(KITCHEN, "past", life_s=-1)
    for device in (KITCHEN, CELLAR):
        until("it is told", lambda device=device: ("old", "expired") in line.answers(device))
    kitchen.come()
    line.told(KITCHEN, old="expired", new="done", past="expired")
    assert kitchen.ids == ["new"]
    assert line.answers(CELLAR) == [("old", "expired")]
    assert service.metrics()["expired_total"] == 3


def test_a_command_from_before_the_first_start_counts(line: Line) -> None:
    kitchen = line.device(KITCHEN).come()
    line.give(KITCHEN, "past", life_s=-1)
    line.give(KITCHEN, "1")
    service = line.service()
    service.start()
    line.told(KITCHEN, **{"1": "done", "past": "expired"})
    assert kitchen.ids == ["1"]


def test_a_group_that_begins_anew_repeats_nothing(line: Line) -> None:
    """As after its offsets were lost: all is read again."""
    service = line.service()
    service.start()
    kitchen = line.device(KITCHEN).come()
    line.give(KITCHEN, "1")
    line.give(KITCHEN, "past", life_s=-1)
    line.told(KITCHEN, **{"1": "done", "past": "expired"})
    assert service.stop() == 0
    other = line.service("anew")
    other.start()
    line.give(KITCHEN, "2")
    line.told(KITCHEN, **{"1": "done", "past": "expired", "2": "done"})
    time.sleep(PAUSE_S)
    assert [each.id for each in kitchen.got] == ["1", "2"]
    assert len(line.answers()) == 3
    assert (other.metrics()["taken_total"], other.metrics()["waiting"]) == (3, 0)


def send(line: Line, *words: str) -> subprocess.CompletedProcess[str]:
    """Give a command as one does on the Pi."""
    command = [sys.executable, "-m", "raspi_kafka", "command", "send", "--kafka", line.kafka.server, *words]
    environment = {**os.environ, "PYTHONPATH": PYTHONPATH}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_whoever_gives_a_command_is_told_what_came_of_it(line: Line) -> None:
    line.service().start()
    kitchen = line.device(KITCHEN).come()
    done = send(line, "--device", KITCHEN, "--command", "interval", "--args", '{"seconds": 5}')
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    assert (said["device"], said["status"], said["seconds"], kitchen.intervals) == (KITCHEN, "done", 5, [5])
    refused = send(line, "--device", KITCHEN, "--command", "dance")
    assert refused.returncode == 1
    assert json.loads(refused.stdout)["reason"] == "this device knows no command 'dance'"
    expired = send(line, "--device", CELLAR, "--command", "ping", "--expires", "2s")
    assert expired.returncode == 1
    assert json.loads(expired.stdout)["status"] == "expired"


def test_where_nobody_takes_commands_that_is_said(line: Line) -> None:
    """No gateway, so not even the expiry is told; the command is in Kafka, for the first gateway to tell."""
    sent = send(line, "--device", KITCHEN, "--command", "ping", "--expires", "1s", "--id", "7")
    assert (sent.returncode, sent.stdout) == (1, "")
    assert "nobody has answered command 7" in sent.stderr
    line.service().start()
    line.told(KITCHEN, **{"7": "expired"})


def test_without_the_topics_it_is_said_what_to_do(line: Line) -> None:
    line.kafka.delete("commands")
    sent = send(line, "--device", KITCHEN, "--command", "ping")
    assert sent.returncode == 1
    assert "has no topic commands. Deploy the gateway first." in sent.stderr
