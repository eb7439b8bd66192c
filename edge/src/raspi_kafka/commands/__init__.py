"""Commands: from Kafka to devices, and their answers back."""
