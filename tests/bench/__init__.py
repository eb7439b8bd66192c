import sys

from tests.hosts.cache import REPOSITORY

# What is measured is what is here.
sys.path.insert(0, str(REPOSITORY / "edge" / "src"))
