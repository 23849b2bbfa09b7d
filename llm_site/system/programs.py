"""The programs that supervisor runs: their state, and stopping and starting them round a restore.

Run as a program it waits for the end of its standard input, then finishes the restore and starts what was stopped: also
when the process that held the other end was killed.
"""

import subprocess
import sys
import xmlrpc.client
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

LEFT_RUNNING = frozenset({"redis", "garage"})  # they know nothing of the database
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Program:
    """A program of supervisor's; `state` is supervisor's word, `since` Unix time."""

    name: str
    state: str
    since: float

    @property
    def is_running(self) -> bool:
        """Say whether it works."""
        return self.state == "RUNNING"

    @property
    def is_up(self) -> bool:
        """Say whether it works, or supervisor tries to have it work."""
        return self.state in ("RUNNING", "STARTING", "BACKOFF")

    @property
    def is_wanted(self) -> bool:
        """Say whether it was ever started; the garage of the demo is not, elsewhere."""
        return self.state != "STOPPED" or self.since > 0


def programs(socket: Path) -> list[Program]:
    """List the programs; empty where no supervisor runs."""
    if not socket.exists():
        return []
    try:
        found = _ask(socket, "getAllProcessInfo")
    except (OSError, xmlrpc.client.Error):
        return []
    return [Program(entry["name"], entry["statename"], entry["start"]) for entry in found]


@contextmanager
def stopped_for_restore(socket: Path) -> Iterator[bool]:
    """Stop what works with the database, and start it again however this process ends. False: no supervisor runs."""
    names = [program.name for program in programs(socket) if program.is_up and program.name not in LEFT_RUNNING]
    if not names:
        yield False
        return
    with subprocess.Popen(
        [sys.executable, "-m", "llm_site.system.programs", str(socket), *names],
        cwd=ROOT,
        stdin=subprocess.PIPE,  # its end tells that this process has ended
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ):
        for name in names:
            _ask(socket, "stopProcess", name)
        yield True


def _ask(socket: Path, method: str, *arguments: object) -> Any:
    """Call a method of supervisor's own interface. Raises OSError or xmlrpc.client.Error."""
    transport = SupervisorTransport(None, None, f"unix://{socket}")
    with xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport) as supervisor:
        return getattr(supervisor.supervisor, method)(*arguments)


if __name__ == "__main__":
    sys.stdin.read()
    subprocess.run([sys.executable, "manage.py", "restore", "--finish"], cwd=ROOT, check=False)
    for stopped in sys.argv[2:]:
        with suppress(xmlrpc.client.Fault):  # it runs already
            _ask(Path(sys.argv[1]), "startProcess", stopped, False)
