"""`python -m raspi_kafka` is the command `raspi-kafka`."""

import sys

from .cli import main

sys.exit(main())
