"""Commands: each to its own device, and its answer in Kafka."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

from conftest import SET, OnPi, wait_until

from tests.hosts import host
from tests.hosts.deployed import extra
from tests.hosts.mqtt import connected, records
from tests.hosts.play import Run, playbook

NOT_AUTHORIZED = 0x87
BOOK = "playbooks/command.yml"


def command(**wanted: str) -> Run:
    return playbook(SET, *extra(**wanted), book=BOOK)


def test_the_pi_itself_answers_a_ping() -> None:
    run = command(device="pi1", command="ping")
    assert run.code == 0, run.output
    assert "pi1 answers: " in run.text
    assert '"status":"done"' in run.text.replace(" ", "").replace("\\", "")


def test_a_device_reads_its_own_commands_only_and_answers_for_itself_only(pi: host.Host, device) -> None:
    with connected(pi, "oven", device("oven")) as oven, connected(pi, "larder", device("larder")) as larder:
        oven.client.subscribe("cmd/oven", qos=1)
        larder.client.subscribe([("cmd/#", 1), ("cmd/oven", 1), ("answers/#", 1)])
        assert larder.publish("cmd/oven", b"{}").value == NOT_AUTHORIZED
        assert larder.publish("answers/oven", b"{}").value == NOT_AUTHORIZED
        with records(pi, "answers") as answers, ThreadPoolExecutor() as pool:
            sent = pool.submit(command, device="oven", command="ping")
            wait_until(lambda: oven.messages, 60, "the command has come")
            ((topic, payload),) = oven.messages
            said = json.loads(payload)
            assert (topic, said["command"]) == ("cmd/oven", "ping")
            answer = {"id": said["id"], "device": "oven", "status": "done"}
            assert oven.publish("answers/oven", json.dumps(answer).encode()).value == 0
            assert sent.result().code == 0
            assert json.loads(answers.of("oven", 1)[0].value) == answer
        assert larder.messages == []


def test_a_command_for_nobody_expires_and_says_so() -> None:
    run = command(device="nobody", command="ping", expires="5s")
    assert run.code != 0
    assert "nobody has not done ping" in run.text


def test_what_cannot_be_meant_is_refused(on: OnPi) -> None:
    before = on("kafka get-offsets --topic commands")
    for wanted in (
        {"device": "oven"},
        {"device": "a/b", "command": "ping"},
        {"device": "a", "command": "ping", "expires": "soon"},
    ):
        run = command(**wanted)
        assert run.code != 0
        assert "Nothing was sent." in run.text
    assert on("kafka get-offsets --topic commands") == before
