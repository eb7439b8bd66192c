"""Commands from a real Kafka through a real Mosquitto to devices, and their answers back through a real bridge."""
