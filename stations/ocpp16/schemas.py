"""The JSON schemas of OCPP 1.6, as the `ocpp` package brings them: what we send must validate."""

from functools import cache
from importlib.resources import files

import jsonschema_rs
import orjson

from stations.ocpp16.frames import OcppError


@cache
def _validator(name: str) -> jsonschema_rs.Validator | None:
    path = files("ocpp") / "v16" / "schemas" / f"{name}.json"
    if not path.is_file():
        return None
    schema = orjson.loads(path.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    return jsonschema_rs.validator_for(schema)


def check(name: str, payload: object) -> None:
    """Validate a payload; raises OcppError with the schema's complaint. `name` is an action or action + "Response"."""
    validator = _validator(name)
    if validator is None:
        raise OcppError("NotImplemented", f"OCPP 1.6 has no {name}")
    error = next(iter(validator.iter_errors(payload)), None)
    if error is not None:
        raise OcppError("PropertyConstraintViolation", f"{name}: {error.message}")
