"""The servers that the tests of the bridge have."""

from __future__ import annotations

from tests.bridge.conftest import class_path, kafka, kafka_server, line, mosquitto

__all__ = ["class_path", "kafka", "kafka_server", "line", "mosquitto"]
