"""One life of the service."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException

from .. import garbage, logs
from ..mqtt_publisher import Publisher
from . import sinks
from .heartbeat import Heartbeat
from .lease import LeaseLostError
from .ledger import LedgerError
from .service import Service, ServiceError
from .stored import StateError

if TYPE_CHECKING:
    from .config import Config


def run(wanted: Config) -> int:
    """Return 0 once it was stopped, or 1 after a failure."""
    logs.set_up()
    garbage.search_seldom()
    try:
        with Publisher(wanted.mqtt) as publisher:
            service(wanted, publisher).run()
    except (LeaseLostError, LedgerError, ServiceError, StateError, OSError) as failed:
        why = str(failed)
    except KafkaException as failed:
        why = f"Kafka does not give what it has: {failed.args[0].str()}"
    else:
        return 0
    logging.getLogger(__name__).critical("alerting ends: %s; the next process goes on where Kafka has it", why)
    return 1


def service(wanted: Config, publisher: Publisher) -> Service:
    """Return the service that a configuration asks for."""
    servers = wanted.bootstrap_servers
    shared = []
    if wanted.alertmanager:
        shared += sinks.to_alertmanager(wanted.alertmanager, servers)
    if wanted.webhook:
        shared.append(sinks.to_webhook(wanted.webhook, servers))
    heart = Heartbeat(publisher, wanted.mqtt.username, wanted.instance)
    return Service(wanted, heart, [sinks.to_mqtt(publisher, wanted.instance, servers)], shared)
