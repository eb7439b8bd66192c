"""Raspberry Pi stand-ins: hosts in Docker that boot systemd, and the Kafka archive that is deployed to them."""
