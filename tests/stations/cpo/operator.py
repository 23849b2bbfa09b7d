"""An operator's server on loopback, strict about the schemas, that does what a test tells it."""

import asyncio
import json
from datetime import UTC, datetime

import websockets
from websockets.asyncio.server import serve

from stations.ocpp16 import schemas

CLOSE = object()


class Refusal(Exception):
    """Answered as a CALLERROR."""

    def __init__(self, code, description="refused"):
        super().__init__(code)
        self.code, self.description = code, description


class Operator:
    """`seen` are the requests in order: (identity, action, payload, message id); `faults` what was wrong with them.

    `replies` overrides an action: a function of the payload that returns the reply's payload, raises Refusal, returns
    a string to be sent as it is, None for silence, or CLOSE; it may be a coroutine function.
    """

    def __init__(self, *, tls=None, process_request=None, port=0):
        self.tls, self.process_request, self.port = tls, process_request, port
        self.seen, self.faults, self.replies, self.sockets, self.headers = [], [], {}, [], []
        self.asked, self.last_id = {}, 1000
        self.news = asyncio.Event()

    async def __aenter__(self):
        await self.open()
        return self

    async def __aexit__(self, *error):
        await self.close()

    async def open(self):
        self.server = await serve(
            self.welcome,
            "127.0.0.1",
            self.port,
            subprotocols=["ocpp1.6"],
            ssl=self.tls,
            process_request=self.process_request,
        )
        self.port = self.server.sockets[0].getsockname()[1]

    async def close(self):
        self.server.close()
        await self.server.wait_closed()

    @property
    def url(self):
        return f"{'wss' if self.tls else 'ws'}://127.0.0.1:{self.port}/ocpp"

    async def welcome(self, socket):
        self.sockets.append(socket)
        self.headers.append(socket.request.headers)
        identity = socket.request.path.rpartition("/")[2]
        try:
            async for text in socket:
                await self.hear(socket, identity, json.loads(text))
        except websockets.ConnectionClosed:
            pass

    async def hear(self, socket, identity, frame):
        if frame[0] != 2:
            if frame[1] in self.asked:
                self.asked.pop(frame[1]).set_result(frame[2] if frame[0] == 3 else tuple(frame[2:4]))
            return
        _, number, action, payload = frame
        try:
            schemas.check(action, payload)
        except Exception as error:
            self.faults.append(str(error))
        self.seen.append((identity, action, payload, number))
        self.news.set()
        try:
            reply = self.replies.get(action, getattr(self, action, lambda _payload: {}))(payload)
            if asyncio.iscoroutine(reply):
                reply = await reply
        except Refusal as error:
            await socket.send(json.dumps([4, number, error.code, error.description, {}]))
            return
        if reply is CLOSE:
            await socket.close()
        elif isinstance(reply, str):
            await socket.send(reply.replace("NUMBER", number))
        elif reply is not None:
            await socket.send(json.dumps([3, number, reply]))

    def BootNotification(self, _payload):  # noqa: N802 (OCPP's names)
        return {"status": "Accepted", "currentTime": datetime.now(UTC).isoformat(), "interval": 3600}

    def Heartbeat(self, _payload):  # noqa: N802
        return {"currentTime": datetime.now(UTC).isoformat()}

    def Authorize(self, _payload):  # noqa: N802
        return {"idTagInfo": {"status": "Accepted"}}

    def StartTransaction(self, _payload):  # noqa: N802
        self.last_id += 1
        return {"transactionId": self.last_id, "idTagInfo": {"status": "Accepted"}}

    def DataTransfer(self, _payload):  # noqa: N802
        return {"status": "Accepted", "data": "from the operator"}

    async def ask(self, action, **payload):
        """Ask the charge point and return its answer: the payload, or code and description of an error."""
        number = f"o{len(self.asked)}-{action}"
        self.asked[number] = asyncio.get_running_loop().create_future()
        answered = self.asked[number]
        await self.sockets[-1].send(json.dumps([2, number, action, payload]))
        return await asyncio.wait_for(answered, 10)

    def all(self, action):
        """Return what was said by one action."""
        return [payload for _identity, name, payload, _number in self.seen if name == action]

    async def until(self, holds):
        """Wait until something holds of what was said."""
        async with asyncio.timeout(10):
            while not holds():
                self.news.clear()
                await self.news.wait()

    async def hears(self, action, count=1):
        """Wait until it was told something so many times, and return what."""
        await self.until(lambda: len(self.all(action)) >= count)
        return self.all(action)
