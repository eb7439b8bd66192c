# Copyright (c) 2026, raspi.kafka contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: this module util may change at any time, its names are no promise to other collections.

from __future__ import annotations

import logging
import os
import platform
import socket
import sys
import time
import traceback
import typing as t
from collections import Counter
from contextlib import contextmanager
from itertools import chain

from ansible.module_utils.common.respawn import has_respawned, respawn_module

try:
    import kafka
    from kafka import KafkaConsumer
    from kafka.admin import KafkaAdminClient
    from kafka.errors import (
        BrokerResponseError,
        KafkaConnectionError,
        KafkaError,
        KafkaTimeoutError,
        NodeNotReadyError,
        UnknownTopicOrPartitionError,
        for_code,
    )
    from kafka.protocol.admin import DescribeConfigsRequest, DescribeQuorumRequest, IncrementalAlterConfigsRequest
    from kafka.protocol.parser import KafkaProtocol

    KAFKA_IMPORT_ERROR = None
    # Another broker, or the same question once more, may be answered: a broker has ended, or a topic was deleted.
    ASK_AGAIN = (KafkaConnectionError, NodeNotReadyError, UnknownTopicOrPartitionError)
except ImportError:
    KAFKA_IMPORT_ERROR = traceback.format_exc()

    class KafkaError(Exception):  # type: ignore[no-redef]
        """Stands in, so that "except KafkaError" can be written where kafka-python is absent."""

    class BrokerResponseError(KafkaError):  # type: ignore[no-redef]
        """Stands in like KafkaError."""

    ASK_AGAIN = ()  # type: ignore[assignment]


if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from ansible.module_utils.basic import AnsibleModule

    T = t.TypeVar("T")

KAFKA_PYTHON_MINIMUM = "3.0.12"  # the doc fragment and the role that makes the venv say the same
VENV_PYTHON = "/opt/raspi-kafka/venv/bin/python"
SECONDS_TO_ASK_AGAIN = 0.2
SHARES_OF_TIMEOUT = 6  # of which a server that does not answer may take one

TOPIC, BROKER = 2, 4  # resource types of DescribeConfigs and IncrementalAlterConfigs
SET, DELETE = 0, 1  # operations of IncrementalAlterConfigs
DYNAMIC_TOPIC_CONFIG, DYNAMIC_BROKER_CONFIG, DYNAMIC_DEFAULT_BROKER_CONFIG = 1, 2, 3  # config sources
BOOLEAN, INT, SHORT, LONG, DOUBLE, LIST = 1, 3, 4, 5, 6, 7  # config types

CANONICAL: dict[int, Callable[[str], str]] = {
    **dict.fromkeys((INT, SHORT, LONG), lambda text: str(int(text))),
    DOUBLE: lambda text: repr(float(text)),
    BOOLEAN: str.lower,
    LIST: lambda text: ",".join(item.strip() for item in text.split(",")),
}

CONNECTION_ARGSPEC: dict[str, dict[str, t.Any]] = {
    "bootstrap_servers": {"type": "list", "elements": "str", "required": True},
    "client_id": {"type": "str", "default": "raspi-kafka"},
    "request_timeout_ms": {"type": "int", "default": 30000},
}

HINTS = {
    "KafkaTimeoutError": "Look whether the broker runs and whether it has a controller.",
    "KafkaConnectionError": "Look whether the broker runs.",
    "NotControllerError": "The quorum has no active controller: look whether a majority of voters runs.",
    "InvalidReplicationFactorError": "Start more brokers, or declare a smaller replication_factor.",
    "TopicDeletionDisabledError": "Set delete.topic.enable=true on the brokers, or declare the topic present.",
    "TopicAuthorizationFailedError": "Grant the principal access to the topic.",
    "ClusterAuthorizationFailedError": "Grant the principal access to the cluster.",
    "InvalidTimestampError": "Compare the clocks of both machines.",
    "NotEnoughReplicasError": "Fewer replicas are in sync than min.insync.replicas asks: look which broker is down.",
}


class ExpectedError(Exception):
    """An expected failure: one sentence for the reader, and facts for a play to decide on."""

    def __init__(self, sentence: str, **facts: t.Any) -> None:
        super().__init__(sentence)
        self.facts = facts


def refuse(refused: list[str]) -> None:
    """Fail with every reason at once, before anything is changed.

    :raises ExpectedError: there is a reason.
    """
    if refused:
        raise ExpectedError(" ".join(refused) + " Nothing was changed.", reason="refused", refused=refused)


class ConfigEntry(t.NamedTuple):
    """One entry of a DescribeConfigs response."""

    value: str | None
    source: int
    type: int
    read_only: bool
    sensitive: bool


def this_host() -> str:
    return platform.node() or "this host"


def version_tuple(version: str) -> tuple[int, ...]:
    """(3, 0, 12) of "3.0.12"; what is no number ends it, so "3.1.0rc1" is (3, 1)."""
    parts: list[int] = []
    for part in version.split("."):
        if not part.isdigit():
            break
        parts.append(int(part))
    return tuple(parts)


def what_is_missing() -> str | None:
    """What keeps this interpreter from running the modules; None if nothing does."""
    if KAFKA_IMPORT_ERROR:
        return f"kafka-python >= {KAFKA_PYTHON_MINIMUM} is not installed"
    if version_tuple(kafka.__version__) < version_tuple(KAFKA_PYTHON_MINIMUM):
        return f"kafka-python is {kafka.__version__}, older than {KAFKA_PYTHON_MINIMUM}"
    return None


def require_kafka_python(module: AnsibleModule) -> None:
    """Go on if this interpreter has kafka-python, else once more in the venv of the collection, else fail."""
    logging.getLogger("kafka").addHandler(logging.NullHandler())
    missing = what_is_missing()
    if missing is None:
        return
    if not has_respawned() and os.path.exists(VENV_PYTHON):
        respawn_module(VENV_PYTHON)
    elsewhere = "" if has_respawned() else f", and {VENV_PYTHON} does not exist"
    module.fail_json(
        msg=(
            f"{missing} for {sys.executable} on {this_host()}{elsewhere}. "
            f"Run the role raspi.kafka.python_venv on this host, which makes that venv, "
            f"or: {sys.executable} -m pip install 'kafka-python>={KAFKA_PYTHON_MINIMUM}'."
        ),
        reason="kafka_python_missing",
        exception=KAFKA_IMPORT_ERROR,
    )


def run(module: AnsibleModule, work: Callable[[AnsibleModule], dict[str, t.Any]]) -> t.NoReturn:
    """The end of every main(): what `work` returns is the result, what it raises is a sentence."""
    require_kafka_python(module)
    try:
        result = work(module)
    except ExpectedError as failure:
        module.fail_json(msg=str(failure), **failure.facts)
    except (KafkaError, OSError) as error:
        servers = ", ".join(module.params["bootstrap_servers"])
        module.fail_json(
            msg=f"{module._name} failed at {servers}, asked from {this_host()}: {explain(error)}",
            reason="kafka_error",
        )
    module.exit_json(**result)


def explain(error: BaseException) -> str:
    """A KafkaError (or OSError) as a sentence: what the protocol says, what the broker adds, what to do."""
    name = type(error).__name__
    told = [str(argument).rstrip(". ") for argument in error.args if argument] if isinstance(error, KafkaError) else []
    general = getattr(error, "description", "") if isinstance(error, BrokerResponseError) else ""
    if isinstance(error, OSError):
        told = [error.strerror or str(error)]
    text = ": ".join(part for part in (general.rstrip(". "), *told) if part) or name
    hint = HINTS.get(name, "")
    return f"{text} ({name}). {hint}".rstrip()


def explain_code(code: int, message: str | None) -> str:
    """explain() for an error code and message out of a response; the broker's own message says more than ours."""
    error = for_code(code)
    text = (message or error.description).rstrip(". ")
    return f"{text} ({error.__name__}). {HINTS.get(error.__name__, '')}".rstrip()


def split_server(server: str) -> tuple[str, int]:
    """Host and port of "host:port" or "[v6]:port"."""
    host, colon, port = server.rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ExpectedError(
            f"bootstrap_servers holds {server!r}, which is not host:port. Write it as 192.168.1.20:9092.",
            reason="invalid",
        )
    return host.strip("[]"), int(port)


def join_server(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def client_options(params: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The options of every kafka-python client out of the options of a module: the one place for TLS and SASL too."""
    if not params["bootstrap_servers"]:
        raise ExpectedError("bootstrap_servers is empty. Name at least one broker as host:port.", reason="invalid")
    if not 1000 <= params["request_timeout_ms"] <= 300000:
        raise ExpectedError(
            f"request_timeout_ms is {params['request_timeout_ms']}. Choose 1000 to 300000 ms.", reason="invalid"
        )
    return {
        "bootstrap_servers": [join_server(*split_server(server)) for server in params["bootstrap_servers"]],
        "client_id": params["client_id"],
        "request_timeout_ms": params["request_timeout_ms"],
    }


def why_unreachable(server: str, timeout: float = 3.0) -> str:
    """What the operating system says about a connection to `server`; kafka-python only says that it timed out."""
    host, port = split_server(server)
    try:
        socket.create_connection((host, port), timeout).close()
    except socket.gaierror:
        return f"{host} is not a name that resolves here"
    except TimeoutError:
        return f"no answer to a connection within {timeout:g} s"
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return "the port takes connections, but nothing there answers as a Kafka broker"


def cannot_reach(servers: Iterable[str]) -> ExpectedError:
    tried = "; ".join(f"{server}: {why_unreachable(server)}" for server in servers)
    return ExpectedError(
        f"No Kafka broker can be reached from {this_host()} ({tried}). "
        "Look whether the broker runs and whether bootstrap_servers names a listener that this host can reach.",
        reason="unreachable",
    )


def unreachable(broker: int, address: str) -> ExpectedError:
    return ExpectedError(
        f"Broker {broker} advertises {address}, which cannot be reached from {this_host()}: "
        f"{why_unreachable(address)}. Correct the advertised address of the broker, or the network between.",
        reason="unreachable",
        broker=broker,
        address=address,
    )


def is_open(server: str, timeout: float = 3.0) -> bool:
    try:
        socket.create_connection(split_server(server), timeout).close()
    except OSError:
        return False
    return True


def badly_advertised(admin: KafkaAdminClient) -> ExpectedError | None:
    """The first broker that does not listen where it says: the first connection goes elsewhere, all others there."""
    for broker in admin._manager.cluster.brokers():
        address = join_server(broker.host, broker.port)
        if not is_open(address):
            return unreachable(broker.node_id, address)
    return None


def answered(ask: Callable[[], T], timeout_ms: int) -> T:
    """What a question returns, asked anew where a broker has just ended or a topic is just gone.

    :raises KafkaError: that is still so after `timeout_ms`, or it is another error.
    """
    return retry(ask, timeout_ms, lambda error: isinstance(error, ASK_AGAIN))


def converge(look: Callable[[], T], unsettled: Callable[[T], list[str]], params: Mapping[str, t.Any]) -> T:
    """Look until nothing is left to do: a response comes before every broker has taken up the change.

    :raises ExpectedError: something is left after request_timeout_ms.
    """
    deadline = time.monotonic() + params["request_timeout_ms"] / 1000
    while left := unsettled(found := look()):
        if time.monotonic() > deadline:
            raise ExpectedError(
                f"The changes were accepted, but after {params['request_timeout_ms'] // 1000} s this is left to do: "
                f"{'; '.join(left)}. Look whether all brokers run.",
                reason="timeout",
            )
        time.sleep(0.1)
    return found


def is_retriable(error: KafkaError) -> bool:
    return error.retriable


def retry(call: Callable[[], T], timeout_ms: int, passes: Callable[[KafkaError], bool] = is_retriable) -> T:
    """What a call returns, also while the quorum changes its leader or a broker was lost a moment ago.

    :param passes: whether it is worth to call again after an error.
    :raises KafkaError: it still fails after `timeout_ms`, or it fails otherwise.
    """
    deadline = time.monotonic() + timeout_ms / 1000
    while True:
        try:
            return call()
        except KafkaError as error:
            if not passes(error) or time.monotonic() > deadline:
                raise
        time.sleep(SECONDS_TO_ASK_AGAIN)


def connected(client: Callable[..., T], options: Mapping[str, t.Any]) -> T:
    """A client that has found its cluster, for which one server after the other is asked for up to request_timeout_ms.

    kafka-python itself chooses by chance and stays with its choice: a broker that hangs would take all the time that
    there is, and one that is down more with each try.

    :param options: as client_options() returns them, and more.
    :raises KafkaError: no server answers, for one.
    """
    servers = options["bootstrap_servers"]
    deadline = time.monotonic() + options["request_timeout_ms"] / 1000
    share = max(1000, options["request_timeout_ms"] // SHARES_OF_TIMEOUT)
    while True:
        for server in chain(filter(is_open, servers), servers[:1]):
            try:
                return client(**{**options, "bootstrap_servers": [server], "bootstrap_timeout_ms": share})
            except KafkaTimeoutError:
                if time.monotonic() > deadline:
                    raise


@contextmanager
def admin_client(params: Mapping[str, t.Any]) -> Iterator[KafkaAdminClient]:
    """The one connection of a task."""
    options = client_options(params)
    try:
        admin = connected(KafkaAdminClient, options)
    except (KafkaError, OSError) as error:
        raise cannot_reach(options["bootstrap_servers"]) from error
    try:
        yield admin
    except (KafkaConnectionError, KafkaTimeoutError, NodeNotReadyError) as error:
        raise badly_advertised(admin) or error from error
    finally:
        admin.close()


@contextmanager
def consumer_client(params: Mapping[str, t.Any], **more: t.Any) -> Iterator[KafkaConsumer]:
    """A consumer of no group, for a look at topics.

    :param more: further options of KafkaConsumer.
    :raises ExpectedError: no broker can be reached.
    """
    options = client_options(params)
    try:
        more = {**more, "enable_auto_commit": False, "allow_auto_create_topics": False}
        consumer = connected(KafkaConsumer, {**options, **more})
    except (KafkaError, OSError) as error:
        raise cannot_reach(options["bootstrap_servers"]) from error
    try:
        yield consumer
    finally:
        consumer.close(autocommit=False, timeout_ms=5000)


def send(admin: KafkaAdminClient, request: t.Any, node_id: int | None = None, timeout_ms: int | None = None) -> t.Any:
    """A request as it is, to a broker or to any, for what KafkaAdminClient has no method for.

    :raises KafkaError: among others, there is no answer within `timeout_ms`, or request_timeout_ms if it is None.
    """
    return admin._manager.run(admin._manager.send, request, node_id, timeout_ms)


@contextmanager
def counted_requests() -> Iterator[Counter[str]]:
    """Count by name the requests that this process sends until the block ends.

    They all go through the one place where kafka-python encodes them: those of its own too, for the versions that a
    broker speaks and for its addresses.
    """
    sent: Counter[str] = Counter()
    encode = KafkaProtocol.send_request

    def counting(protocol: KafkaProtocol, request: t.Any, *arguments: t.Any, **options: t.Any) -> t.Any:
        sent[type(request).__name__] += 1
        return encode(protocol, request, *arguments, **options)

    KafkaProtocol.send_request = counting
    try:
        yield sent
    finally:
        KafkaProtocol.send_request = encode


def describe_quorum(admin: KafkaAdminClient, timeout_ms: int) -> dict[str, t.Any]:
    """The metadata quorum (KIP-595), for which the broker that is asked asks the active controller.

    :raises KafkaError: among others, the broker found no active controller within `timeout_ms`.
    """
    topics = [("__cluster_metadata", [(0,)])]
    response = send(admin, DescribeQuorumRequest(topics=topics), timeout_ms=timeout_ms)
    for part in (response, response.topics[0].partitions[0]):
        if part.error_code:
            raise for_code(part.error_code)(part.error_message)
    return response.to_dict()


def describe_configs(
    admin: KafkaAdminClient,
    resource_type: int,
    names: Iterable[str],
    node_id: int | None = None,
    keys: list[str] | None = None,
) -> dict[str, dict[str, ConfigEntry]]:
    """All configs (or those of `keys`) of some resources by name; the broker "" stands for the whole cluster."""
    resources = [(resource_type, name, keys) for name in names]
    if not resources:
        return {}
    # Version 3 brings the type of a config, without which "0.50" and "0.5" look different.
    response = send(admin, DescribeConfigsRequest(resources=resources, min_version=3), node_id)
    configs = {}
    for result in response.results:
        if result.error_code:
            raise for_code(result.error_code)(result.error_message)
        configs[result.resource_name] = {
            config.name: ConfigEntry(
                config.value, config.config_source, config.config_type, config.read_only, config.is_sensitive
            )
            for config in result.configs
        }
    return configs


def alter_configs(
    admin: KafkaAdminClient,
    resource_type: int,
    changes: Mapping[str, Mapping[str, str | None]],
    validate_only: bool = False,
    node_id: int | None = None,
) -> dict[str, str]:
    """Set keys, and delete those whose value is None, by resource; returns the refused resources and why.

    :param node_id: the broker to ask, which for configs of a single broker is that one; None stands for any.
    """
    if not changes:
        return {}
    resources = [
        (resource_type, name, [(key, DELETE if value is None else SET, value) for key, value in configs.items()])
        for name, configs in changes.items()
    ]
    response = send(admin, IncrementalAlterConfigsRequest(resources=resources, validate_only=validate_only), node_id)
    return {
        result.resource_name: explain_code(result.error_code, result.error_message)
        for result in response.responses
        if result.error_code
    }


def config_text(value: t.Any) -> str | None:
    """A YAML value as Kafka writes it; None stays None."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return ",".join(str(config_text(item)) for item in value)
    return str(value)


def canonical(value: str | None, config_type: int) -> str | None:
    """The text by which a broker shows a value that was written in another way ("0.50", " 7", "a, b")."""
    if value is None or config_type not in CANONICAL:
        return value
    try:
        return CANONICAL[config_type](value.strip())
    except ValueError:
        return value  # the broker says what is wrong with it
