"""Telegraf between a real Mosquitto and a real Kafka: the engine that the bridge is measured beside."""

from __future__ import annotations

import mmap
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bridge.kafka import TELEMETRY
from tests.bridge.mosquitto import BRIDGE, PASSWORD
from tests.bridge.process import Process

if TYPE_CHECKING:
    from tests.bridge.kafka import Kafka
    from tests.bridge.mosquitto import Mosquitto

HOW_TO_GET = "go install github.com/influxdata/telegraf/cmd/telegraf@v1.37.2"
# The same promise as the bridge's: PUBACK after Kafka has it, which only `persistent_session` gives; the device is the
# key, the payload is passed as it is. Its defaults would be QoS 0 and a flush every 10 s.
CONFIG = """\
[agent]
  flush_interval = "100ms"
  metric_batch_size = 1000
  metric_buffer_limit = 10000
  omit_hostname = true

[[inputs.mqtt_consumer]]
  servers = ["tcp://127.0.0.1:{port}"]
  topics = ["devices/+/#"]
  topic_tag = ""
  qos = 1
  persistent_session = true
  max_undelivered_messages = 1000
  client_id = "{user}"
  username = "{user}"
  password = "{password}"
  data_format = "value"
  data_type = "string"
  [[inputs.mqtt_consumer.topic_parsing]]
    topic = "devices/+/#"
    tags = "_/device/#"

[[outputs.kafka]]
  brokers = ["{server}"]
  topic = "{topic}"
  routing_tag = "device"
  required_acks = -1
  idempotent_writes = true
  data_format = "template"
  template = '{{{{ .Field "value" }}}}'
"""


class Telegraf(Process):
    """Has the user and the session that the bridge has in its turn."""

    def __init__(self, root: Path, mosquitto: Mosquitto, kafka: Kafka) -> None:
        root.mkdir()
        config = root / "telegraf.conf"
        values = {"port": mosquitto.port, "user": BRIDGE, "password": PASSWORD, "server": kafka.server}
        config.write_text(CONFIG.format(topic=TELEMETRY, **values))
        super().__init__([str(program()), "--config", config], root / "log")


def program() -> str | None:
    """Return the program that the environment variable TELEGRAF names, or that PATH has."""
    return os.environ.get("TELEGRAF") or shutil.which("telegraf")


def version() -> str:
    """Return what the build recorded of its module: `go install` sets nothing that --version could tell."""
    with Path(str(program())).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        found = re.search(rb"\tgithub\.com/influxdata/telegraf\tv([\d.]+)", content)
        return f"Telegraf {found[1].decode()}" if found else "Telegraf"
