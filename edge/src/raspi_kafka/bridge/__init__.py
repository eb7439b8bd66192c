"""The way from MQTT to Kafka."""
