"""How the REST API says what is wrong: always as `{"message": …}`, in words that say what was expected."""

import json
import logging
from typing import Any

from django.http import HttpRequest, HttpResponse

from accounts.both_ways import after

API = "/api/"
OUTCOMES = frozenset({502, 504})  # of a command: the station's doing, which whoever asked is told
SAID_OTHERWISE = {
    400: "the request cannot be read",
    403: "this is not allowed",
    404: "there is nothing at this address; /api/docs lists what there is",
    405: "the method is not allowed at this address; /api/docs lists what is",
    500: "the request failed; the log of the load manager says why",
}
EXPECTED = {  # pydantic's error types, with its values for them
    "missing": "is missing",
    "extra_forbidden": "is not known here; /api/docs lists what is",
    "timezone_aware": "expected a time with its zone, such as 2026-01-05T13:00:00Z",
    "dict_type": "expected an object",
    "model_attributes_type": "expected an object",
    "string_type": "expected text",
    "string_unicode": "expected text that can be written as UTF-8",
    "greater_than": "expected more than {gt}",
    "greater_than_equal": "expected {ge} or more",
    "less_than": "expected less than {lt}",
    "less_than_equal": "expected {le} or less",
    "value_error": "{error}",
}
EXPECTED_KINDS = {  # by how the names of such types begin
    "datetime": "expected a time such as 2026-01-05T13:00:00Z",
    "int": "expected a whole number",
    "float": "expected a number",
}


def complaint(error: dict[str, Any]) -> str:
    """Write one of pydantic's errors as a person reads it: where, and what was expected."""
    kind = error["type"]
    text = EXPECTED.get(kind) or EXPECTED_KINDS.get(kind.partition("_")[0])
    expected = error["msg"] if text is None else text.format(**error.get("ctx", {}))
    source, *place = error["loc"]
    if source == "body":
        place = place[1:]  # the first is the name that the body has in the code
    return f"{'.'.join(map(str, place)) or 'the body'}: {expected}"


def _in_shape(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Bring the answer of whatever else refuses a request to the REST API into the same shape."""
    is_json = response.headers.get("Content-Type", "").startswith("application/json")
    if response.status_code < 400 or is_json or not request.path.startswith(API):
        return response
    message = SAID_OTHERWISE.get(response.status_code, response.reason_phrase)
    response.content = json.dumps({"message": message}).encode()
    response["Content-Type"] = "application/json"
    response["Content-Length"] = str(len(response.content))
    return response


errors_as_json = after(_in_shape)


class OutcomesAreNoErrors(logging.Filter):
    """Keep out of the log that a command's outcome was answered with 502 or 504: it is logged as what it is."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a line of Django's goes into the log."""
        request, status = getattr(record, "request", None), getattr(record, "status_code", 0)
        return status not in OUTCOMES or request is None or not request.path.startswith(API)
