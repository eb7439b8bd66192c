"""The telemetry agent as a process, and a real Mosquitto."""
