"""What one socket gives rise to in the log: the first lines of each minute, and then how many there were."""

import logging
import time
from collections.abc import Callable
from typing import Any

LINES_A_MINUTE = 20
MINUTE_S = 60.0


class SocketLog(logging.LoggerAdapter[logging.Logger]):
    """A logger that names the station and keeps a socket from filling the disk; `clock` gives seconds."""

    def __init__(self, logger: logging.Logger, identity: str, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(logger)
        self._identity, self._clock = identity, clock
        self._since, self._lines, self._left_out = clock(), 0, 0

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Write a line, or count it where the minute has had its lines."""
        if self._clock() - self._since >= MINUTE_S:
            self.count()
        self._lines += 1
        if self._lines <= LINES_A_MINUTE:
            self.logger.log(level, f"%s: {msg}", self._identity, *args, **kwargs)
        else:
            self._left_out += 1

    def count(self) -> None:
        """Write how many lines were left out, and begin a new minute."""
        if self._left_out:
            self.logger.warning("%s: %d more lines were left out", self._identity, self._left_out)
        self._since, self._lines, self._left_out = self._clock(), 0, 0
