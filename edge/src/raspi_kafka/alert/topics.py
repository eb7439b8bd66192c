"""The Kafka topics of alerting."""

ALERTS = "alerts"
STATE = "alerting-state"
# What alerting itself sends by MQTT, to see that the pipeline carries it.
HEARTBEAT = "raspi-kafka-heartbeat"
DEAD_LETTERS = "dead-letters"
# What devices send goes there unless the bridge is told otherwise.
DEFAULT_TOPIC = "telemetry"
