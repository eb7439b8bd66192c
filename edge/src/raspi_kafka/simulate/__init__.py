"""Devices that send telemetry over MQTT, as many as one computer can be."""
