"""One delivery as a process, until it is killed.

python -m tests.alerting.deliver SERVER webhook|alertmanager URL
"""

from __future__ import annotations

import signal
import sys

from raspi_kafka.alert import config_sinks, sinks
from raspi_kafka.alert.delivery import Delivery


def delivery(server: str, kind: str, url: str) -> Delivery:
    """Return what is asked for."""
    if kind == "webhook":
        return sinks.to_webhook(config_sinks.Webhook(url), (server,))
    (found,) = sinks.to_alertmanager(config_sinks.Alertmanager((url,)), (server,))
    return found


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    running = delivery(*sys.argv[1:])
    running.start()
    signal.sigwait([signal.SIGTERM])
    running.stop()
