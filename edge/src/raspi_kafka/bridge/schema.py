"""JSON schemas that payloads have to fit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Schema = Callable[[bytes], str]


def load(path: Path) -> Schema:
    """Return a function that tells why a payload does not fit, "" if it does.

    :raises OSError: the file can't be read.
    :raises ValueError: it holds no JSON, or no JSON schema.
    """
    # Not every bridge has a schema, and each imported module is memory on a Pi.
    import fastjsonschema  # noqa: PLC0415

    try:
        validate = fastjsonschema.compile(json.loads(path.read_bytes()))
    except (fastjsonschema.JsonSchemaDefinitionException, AttributeError, TypeError) as wrong:
        raise ValueError(f"it is no JSON schema: {wrong}") from wrong

    def misfit(payload: bytes) -> str:
        try:
            validate(json.loads(payload))
        except ValueError as wrong:  # no JSON, no UTF-8; JsonSchemaValueException is one as well
            return str(wrong)
        except RecursionError:
            return "it is nested too deeply"
        except Exception as wrong:  # the validator's own: 1e400 is no multiple of anything (OverflowError)
            return f"it cannot be judged: {wrong!r}"
        return ""

    return misfit
