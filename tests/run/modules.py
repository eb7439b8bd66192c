"""Tests with real brokers that run on this machine, out of the same archive that hosts get.

python3 -m tests.run.modules [FOLDER]: tests/e2e, which has the modules, if none is named.
"""

from __future__ import annotations

import os
import subprocess
import sys

from tests.hosts import archive, package
from tests.hosts.step import Failure

if __name__ == "__main__":
    try:
        package.ensure({"java": "default-jre-headless"})
        os.environ["RASPI_KAFKA_ARCHIVE"] = str(archive.build().path)
    except Failure as failure:
        sys.exit(str(failure))
    sys.exit(subprocess.run(["pytest", *(sys.argv[1:] or ["tests/e2e"])], check=False).returncode)
