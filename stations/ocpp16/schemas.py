"""The JSON schemas of OCPP 1.6, as the `ocpp` package brings them: what we send must validate."""

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

import jsonschema_rs
import orjson

from stations.ocpp16.frames import OcppError

LONGEST_COMPLAINT = 300  # it shows what came


class Unfit(OcppError):
    """A payload that breaks its schema; `path` names the place in it."""

    def __init__(self, description: str, path: list[str | int]) -> None:
        super().__init__("PropertyConstraintViolation", description)
        self.path = path


@cache
def schema_of(name: str) -> dict[str, Any] | None:
    """Return a schema; None where OCPP 1.6 has none of that name."""
    path = files("ocpp") / "v16" / "schemas" / f"{name}.json"
    if not path.is_file():
        return None
    schema: dict[str, Any] = orjson.loads(path.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    return schema


@cache
def _validator(name: str) -> jsonschema_rs.Validator | None:
    schema = schema_of(name)
    return None if schema is None else jsonschema_rs.validator_for(schema)


def fits(name: str, payload: object) -> bool:
    """Say whether a payload validates; one whose schema is unknown does."""
    validator = _validator(name)
    try:
        return validator is None or validator.is_valid(payload)
    except ValueError:  # nested deeper than the validator goes
        return False


def complaints(name: str, payload: object) -> Iterator[tuple[str, str]]:
    """List what a schema has against a payload: the part of the schema, and the complaint."""
    validator = _validator(name)
    try:
        for error in validator.iter_errors(payload) if validator is not None else ():
            yield "/".join(map(str, error.schema_path)), error.message
    except ValueError as error:
        yield "depth", str(error)


def check(name: str, payload: object) -> None:
    """Validate a payload; raises OcppError with the schema's complaint. `name` is an action or action + "Response"."""
    validator = _validator(name)
    if validator is None:
        raise OcppError("NotImplemented", f"OCPP 1.6 has no {name}")
    try:
        error = next(iter(validator.iter_errors(payload)), None)
    except UnicodeEncodeError:
        raise Unfit(f"{name}: expected text that can be written as UTF-8", []) from None
    except ValueError:
        raise Unfit(f"{name}: nested too deeply", []) from None
    if error is not None:
        missing = getattr(error.kind, "property", None)
        path = [*error.instance_path, *([missing] if missing else [])]
        raise Unfit(f"{name}: {error.message[:LONGEST_COMPLAINT]}", path)
