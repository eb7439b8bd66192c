"""Alerts from a real Kafka to a real Mosquitto, a real Alertmanager and a web server of a test, all on 127.0.0.1."""
