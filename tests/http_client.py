"""Requests to the ASGI application in the process of the test, as a web server hands them on."""

import json
from urllib.parse import unquote, urlencode

from channels.db import database_sync_to_async
from channels.testing import HttpCommunicator

from accounts.models import User
from accounts.services import renew_token
from llm_site.asgi import application

TIMEOUT_S = 10


class Answer:
    """What came back."""

    def __init__(self, response):
        self.status, self.body = response["status"], response["body"]
        self.headers = {name.decode().lower(): value.decode() for name, value in response["headers"]}

    def json(self):
        return json.loads(self.body)


async def ask(method, path, payload=None, *, token=None, headers=(), **parameters):
    """Send one request; keyword arguments become its query, `from_` is `from`."""
    query = urlencode({name.rstrip("_"): value for name, value in parameters.items()})
    sent = [(b"host", b"testserver"), (b"content-type", b"application/json"), *headers]
    if token is not None:
        sent.append((b"authorization", f"Bearer {token}".encode()))
    body = b"" if payload is None else json.dumps(payload).encode()
    request = HttpCommunicator(application, method, path, body, sent)
    request.scope.update(path=unquote(path), raw_path=path.encode(), query_string=query.encode())
    answer = Answer(await request.get_response(timeout=TIMEOUT_S))
    await request.wait(timeout=TIMEOUT_S)
    return answer


@database_sync_to_async
def token_of(role, username=None):
    """Make a user of a role and return a token of theirs."""
    username = username or role
    User.objects.create(username=username, role=role)
    return renew_token(username=username)
