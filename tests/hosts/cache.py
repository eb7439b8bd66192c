"""Where built things are kept, and the names they are kept under."""

import hashlib
import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def directory(*names: str) -> Path:
    """Make and return a directory of the cache."""
    root = Path(os.environ.get("RASPI_KAFKA_CACHE") or REPOSITORY / ".cache")
    path = root.expanduser().resolve().joinpath(*names)
    path.mkdir(parents=True, exist_ok=True)
    return path


def fingerprint(*parts: str | bytes) -> str:
    """Name a recipe by its content: another recipe is another name, so nothing stale is ever taken for it."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)  # the length keeps ("ab", "c") apart from ("a", "bc")
    return digest.hexdigest()[:12]
