from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from ansible_collections.raspi.kafka.plugins.module_utils._quorum import kafka_id
from ansible_collections.raspi.kafka.plugins.module_utils._raft_voter import (
    AddRaftVoterRequest,
    AddRaftVoterResponse,
    RemoveRaftVoterRequest,
    RemoveRaftVoterResponse,
    add_voter,
    directory_uuid,
    remove_voter,
)

CLUSTER, DIRECTORY = "SJfWeO2iSRWLV7Ro2fYLPQ", "PXv7w13gR0SWQcyOloW7bg"
DIRECTORY_BYTES = bytes.fromhex("3d7bfbc35de047449641cc8e9685bb6e")
LISTENER = {"name": "CONTROLLER", "host": "pi-2", "port": 40000}


def test_a_directory_id_is_the_uuid_that_it_came_from() -> None:
    assert directory_uuid(DIRECTORY).bytes == DIRECTORY_BYTES
    assert kafka_id(directory_uuid(DIRECTORY)) == DIRECTORY


def test_an_addition_is_written_as_the_protocol_has_it() -> None:
    request = add_voter(CLUSTER, 2, DIRECTORY, LISTENER, 5000)
    assert (request.API_KEY, request.max_version) == (80, 0)
    expected = [
        bytes([23]) + CLUSTER.encode(),
        (5000).to_bytes(4, "big"),
        (2).to_bytes(4, "big"),
        DIRECTORY_BYTES,
        bytes([2]),
        bytes([11]) + b"CONTROLLER",
        bytes([5]) + b"pi-2",
        (40000).to_bytes(2, "big"),
        b"\0",
        b"\0",
    ]
    assert bytes(request.encode(version=0)) == b"".join(expected)


def test_a_removal_is_written_as_the_protocol_has_it() -> None:
    request = remove_voter(CLUSTER, 2, DIRECTORY)
    assert (request.API_KEY, request.max_version) == (81, 0)
    expected = [bytes([23]) + CLUSTER.encode(), (2).to_bytes(4, "big"), DIRECTORY_BYTES, b"\0"]
    assert bytes(request.encode(version=0)) == b"".join(expected)


@pytest.mark.parametrize(
    ("request_class", "response_class"),
    [(AddRaftVoterRequest, AddRaftVoterResponse), (RemoveRaftVoterRequest, RemoveRaftVoterResponse)],
)
def test_an_answer_is_found_for_its_request_and_read(request_class: Any, response_class: Any) -> None:
    request = request_class(version=0)
    request.with_header()
    found = request.header.get_response_class()
    assert found.API_KEY == response_class.API_KEY
    answer = found.decode((100).to_bytes(4, "big") + (126).to_bytes(2, "big") + bytes([4]) + b"one" + b"\0", version=0)
    assert (answer.throttle_time_ms, answer.error_code, answer.error_message) == (100, 126, "one")


def test_the_messages_can_be_imported_without_kafka_python() -> None:
    name = "ansible_collections.raspi.kafka.plugins.modules.kraft_voters"
    program = f"import sys; sys.modules['kafka'] = None; import {name}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
