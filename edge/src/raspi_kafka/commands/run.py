"""One life of the service."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException

from .. import garbage, logs
from ..mqtt_publisher import Publisher
from .service import Service

if TYPE_CHECKING:
    from .config import Config


def run(wanted: Config) -> int:
    """Return 0 once it was stopped, or 1 after a failure."""
    logs.set_up()
    garbage.search_seldom()
    try:
        with Publisher(wanted.mqtt) as publisher:
            Service(wanted, publisher).run()
    except OSError as failed:
        why = str(failed)
    except KafkaException as failed:
        why = f"Kafka does not take what it is given: {failed.args[0].str()}"
    else:
        return 0
    logging.getLogger(__name__).critical("commands end: %s; the next process begins with what is not finished", why)
    return 1
