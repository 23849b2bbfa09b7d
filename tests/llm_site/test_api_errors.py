"""Whatever is sent to the REST API, what is wrong with it is said as JSON, and is no error in the log."""

import json

import pytest
from channels.testing import HttpCommunicator

from llm_site.asgi import application
from stations.models import Command, Station
from tests.http_client import Answer, ask, token_of
from tests.stations.test_consumer import in_database

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("closed_connections")]

COMMANDS = "/api/stations/CP1/commands"
HALF = '"\\ud800"'


@pytest.fixture
async def token():
    await in_database(lambda: Station.objects.create(identity="CP1", state="configured"))
    return await token_of("administrator")


async def send(body, token, path=COMMANDS):
    """Send a body as it is."""
    headers = [(b"host", b"testserver"), (b"content-type", b"application/json")]
    headers.append((b"authorization", f"Bearer {token}".encode()))
    request = HttpCommunicator(application, "POST", path, body, headers)
    request.scope["raw_path"] = path.encode()
    answer = Answer(await request.get_response(timeout=10))
    await request.wait(timeout=10)
    return answer


def deep(levels):
    return '{"a":' * levels + "1" + "}" * levels


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "the body: is missing"),
        ("{no", "the body cannot be read: expected JSON"),
        (b"\xff\xfe", "the body cannot be read: expected JSON"),
        ("9" * 5000, "the body cannot be read: expected JSON"),
        ("[]", "the body: expected an object"),
        ('{"action": []}', "action: expected text"),
        ('{"action": "Reset", "payload": []}', "payload: expected an object"),
        ('{"action": "Reset", "payload": {"type": "Soft"}, "timeout_s": "soon"}', "timeout_s: expected a number"),
        ('{"action": "Reset", "payload": {"type": "Soft"}, "timeout_s": 0}', "timeout_s: expected more than 0"),
        ('{"action": "Reset", "payload": {"type": "Soft"}, "timeout_s": NaN}', "timeout_s: expected 35.0 or less"),
        (f'{{"action": {HALF}}}', "expected one of "),
        (f'{{"action": "ClearCache", "payload": {{{HALF}: 1}}}}', "ClearCache: expected text that can be written as"),
        (f'{{"action": "ClearCache", "payload": {{"key": {HALF}}}}}', "ClearCache: expected text that can be written"),
        (f'{{"action": "Reset", "timeout_s": {HALF}}}', "timeout_s: expected text that can be written as UTF-8"),
        (f'{{"action": "ClearCache", "payload": {deep(100)}}}', "ClearCache: Additional properties are not allowed"),
        (f'{{"action": "ClearCache", "payload": {deep(900)}}}', ""),
        (f'{{"action": {deep(900)}}}', ""),
        (f'{{"action": "ClearCache", "payload": {deep(100_000)}}}', "the body cannot be read"),
        (
            '{"action": "GetCompositeSchedule", "payload": {"connectorId": 1, "duration": 1e999}}',
            "GetCompositeSchedule",
        ),
    ],
)
async def test_a_body_that_cannot_be_understood_is_refused_with_what_was_expected(token, body, message):
    answer = await send(body if isinstance(body, bytes) else body.encode(), token)
    assert answer.status in (400, 422)
    assert answer.json()["message"].startswith(message)
    assert len(answer.body) < 1000
    assert not await in_database(Command.objects.exists)


async def test_a_body_that_is_longer_than_any_command_is_refused_with_what_is_taken(token):
    answer = await send(json.dumps({"action": "DataTransfer", "data": "x" * 3_000_000}).encode(), token)
    assert (answer.status, answer.json()["message"]) == (413, "the body is too long: expected 2621440 bytes at most")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/nothing", 404),
        ("GET", "/api/stations/CP1/nothing", 404),
        ("GET", "/api/stations/%ED%A0%80", 404),
        ("GET", "/api/transactions/99999999999999999999999", 404),
        ("PUT", "/api/stations", 405),
        ("GET", "/api/stations/%00", 404),
    ],
)
async def test_an_address_that_is_none_is_said_as_json(token, method, path, status):
    answer = await ask(method, path, token=token)
    assert answer.status == status
    assert answer.json()["message"]
    assert answer.headers["content-length"] == str(len(answer.body))


async def test_what_pages_answer_stays_a_page(token):
    answer = await ask("GET", "/nothing", token=token)
    assert answer.status == 404
    assert answer.headers["content-type"].startswith("text/html")


async def test_the_outcome_of_a_command_is_no_error_in_the_log(token, caplog):
    await in_database(lambda: Station.objects.update(socket_id="web/elsewhere"))
    answer = await ask("POST", COMMANDS, {"action": "ClearCache", "timeout_s": 0.01}, token=token)
    assert answer.status == 504
    assert "no answer to ClearCache" in answer.json()["message"]
    assert not [record for record in caplog.records if record.name == "django.request"]


async def test_what_failed_in_the_load_manager_is_said_as_json_and_is_an_error_in_the_log(token, caplog, monkeypatch):
    def fail(*_arguments):
        raise RuntimeError("broken")

    monkeypatch.setattr("stations.api._stations", fail)
    answer = await ask("GET", "/api/stations", token=token)
    assert (answer.status, "the log" in answer.json()["message"]) == (500, True)
    assert [record.levelname for record in caplog.records if record.name == "django.request"] == ["ERROR"]
