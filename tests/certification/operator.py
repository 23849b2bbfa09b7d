"""Who runs the load manager: gives orders over the REST API, and reads there what it has kept."""

import asyncio
import json
from urllib.parse import urlencode


class Operator:
    """An administrator with a token, who speaks of one station."""

    def __init__(self, product, token, station):
        self._product, self._token, self._station = product, token, station
        self._path = f"/stations/{station.identity}"

    async def _request(self, path, payload=None):
        status, body = await asyncio.to_thread(self._product.request, f"/api{path}", token=self._token, payload=payload)
        return status, json.loads(body)

    async def _get(self, path, **filters):
        status, body = await self._request(f"{path}?{urlencode(filters)}")
        assert status == 200, body
        return body

    async def order(self, action, payload, answer, outcome="accepted"):
        """Ask something of the station, which answers so; the order must arrive as it was given, and the answer too."""
        self._station.expect(action, payload, answer)
        status, said = await self._request(f"{self._path}/commands", {"action": action, "payload": payload})
        assert (status, said.get("status"), said.get("answer")) == (200, outcome, answer), said
        assert self._station.expected == [], f"{action} did not arrive as it was given: {self._station.asked}"
        kept = (await self._get(f"{self._path}/commands", limit=1))["items"][0]
        assert kept == said

    async def station(self):
        """Return what is kept of the station."""
        return await self._get(self._path)

    async def connector(self):
        """Return what is kept of its connector."""
        (connector,) = (await self.station())["connectors"]
        return connector

    async def state(self):
        """Return the state of its connector."""
        return (await self.connector())["status"]

    async def progress(self, kind):
        """Return how far it said last that an update or an upload has come."""
        return {part["kind"]: part["status"] for part in (await self.station())["progress"]}.get(kind)

    async def transactions(self):
        """Return its transactions, the newest first."""
        return (await self._get("/transactions", station=self._station.identity))["items"]

    async def transaction(self):
        """Return its only transaction."""
        (transaction,) = await self.transactions()
        return transaction

    async def security_events(self):
        """Return the types of what it reported of its security, the newest first."""
        return [
            event["type"] for event in (await self._get("/security-events", station=self._station.identity))["items"]
        ]
