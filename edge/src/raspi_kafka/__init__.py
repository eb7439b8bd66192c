"""Programs of raspi.kafka that run on a Pi."""

__version__ = "0.1.0"
