"""The topics of commands."""

# In Kafka.
COMMANDS = "commands"
ANSWERS = "answers"
# In MQTT: a device reads the one below which its name stands, and answers below the other one.
TO_DEVICES = "cmd"


def to_device(device: str) -> str:
    """Return the MQTT topic of a device's commands."""
    return f"{TO_DEVICES}/{device}"


def from_device(device: str) -> str:
    """Return the MQTT topic of a device's answers."""
    return f"{ANSWERS}/{device}"
