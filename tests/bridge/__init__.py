"""The bridge between a real Mosquitto and a real Kafka, all of them processes on 127.0.0.1."""
