"""The programs that supervisor runs: their state, and stopping and starting them round a restore.

Run as a program it waits for the end of its standard input, then finishes the restore and starts what was stopped: also
when the process that held the other end was killed.
"""

import subprocess
import sys
import xmlrpc.client
from dataclasses import dataclass
from pathlib import Path

from supervisor.xmlrpc import SupervisorTransport

STOPPED_FOR_RESTORE = ("beat", "announce", "control", "worker", "web")
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
    def is_wanted(self) -> bool:
        """Say whether it was ever started: the demo's garage is not, outside the demo."""
        return self.state != "STOPPED" or self.since > 0


def programs(socket: Path) -> list[Program]:
    """List the programs; empty where no supervisor runs."""
    if not socket.exists():
        return []
    try:
        found = _supervisor(socket).getAllProcessInfo()
    except (OSError, xmlrpc.client.Error):
        return []
    assert isinstance(found, list)
    return [Program(entry["name"], entry["statename"], entry["start"]) for entry in found]


def stop_for_restore(socket: Path) -> bool:
    """Stop what works with the database; it is started again when this process ends. False: no supervisor runs."""
    running = [program.name for program in programs(socket) if program.is_running]
    if not running:
        return False
    subprocess.Popen(
        [sys.executable, "-m", "llm_site.system.programs", str(socket)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    for name in STOPPED_FOR_RESTORE:
        if name in running:
            _supervisor(socket).stopProcess(name)
    return True


def _start_again(socket: Path) -> None:
    for program in programs(socket):
        if program.name in STOPPED_FOR_RESTORE and program.is_wanted and not program.is_running:
            _supervisor(socket).startProcess(program.name, False)


def _supervisor(socket: Path) -> xmlrpc.client._Method:
    proxy = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=SupervisorTransport(None, None, f"unix://{socket}"))
    found = proxy.supervisor
    assert isinstance(found, xmlrpc.client._Method)
    return found


if __name__ == "__main__":
    sys.stdin.read()
    subprocess.run([sys.executable, "manage.py", "restore", "--finish"], cwd=ROOT, check=False)
    _start_again(Path(sys.argv[1]))
