"""Open overviews, as browsers keep them: the stream of each, read as it comes."""

import asyncio
import time
from types import TracebackType


class OpenPages:
    """Some streams of /live/overview at once."""

    def __init__(self, port: int, count: int) -> None:
        self._port, self._count = port, count
        self._pages: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def __aenter__(self) -> "OpenPages":
        """Open them all."""
        for _ in range(self._count):
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=2**20)
            writer.write(b"GET /live/overview HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
            self._pages.append((reader, writer))
        await self.show("event: overview")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close them all."""
        for _reader, writer in self._pages:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for _reader, writer in self._pages), return_exceptions=True)

    async def show(self, text: str, within_s: float = 30.0) -> list[float]:
        """Wait until every page shows a text in one line; returns when (Unix time) each did."""
        async with asyncio.timeout(within_s):
            return await asyncio.gather(*(self._shows(reader, text.encode()) for reader, _writer in self._pages))

    @staticmethod
    async def _shows(reader: asyncio.StreamReader, text: bytes) -> float:
        while text not in (line := await reader.readline()):
            if not line:
                raise ConnectionError("the stream ended")
        return time.time()
