"""The product as a user runs it: real processes, a database of its own, nothing replaced."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import psutil

ROOT = Path(__file__).resolve().parents[2]
READY_WITHIN_S = 90
T = TypeVar("T")
PROGRAMS = {
    "web": "llm_site.serve",
    "control": "-Q control",
    "worker": "-Q default",
    "beat": "beat -S",
    "redis": "redis",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Product:
    """A running Local Load Manager with its data folder."""

    def __init__(self, folder: str, **variables: str) -> None:
        self.folder, self.port = Path(folder), free_port()
        clean = {name: value for name, value in os.environ.items() if not name.startswith("LLM_")}
        own = {"LLM_DATA_DIR": str(folder), "LLM_PORT": str(self.port), "LLM_MDNS": "off"}
        self.environment = {**clean, **own, **variables}
        self.process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """Where stations connect to, without the identity."""
        return f"ws://127.0.0.1:{self.port}/ocpp"

    def start(self) -> None:
        """Start it as `make run` does, and wait until it serves."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "llm_site.up"], cwd=ROOT, env=self.environment, stdout=subprocess.DEVNULL
        )
        self.wait_for(self.is_serving, READY_WITHIN_S)

    def stop(self) -> None:
        """Stop it as Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)

    def is_serving(self) -> bool:
        """Say whether it takes connections."""
        assert self.process.poll() is None, "the product ended by itself"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def wait_for(self, condition: Callable[[], T], within_s: float = 30.0) -> T:
        """Wait until a condition holds and return its value; fail with the logs."""
        until = time.monotonic() + within_s
        while not (value := condition()):
            assert time.monotonic() < until, f"waited {within_s} s in vain for {condition}\n{self.logs()}"
            time.sleep(0.05)
        return value

    def apply(self, site: str) -> None:
        """Apply a site file given as text."""
        command = [sys.executable, "manage.py", "site", "apply", "-"]
        subprocess.run(
            command, cwd=ROOT, env=self.environment, input=site.encode(), stdout=subprocess.DEVNULL, check=True
        )

    def token(self, username: str) -> str:
        """Make a user's token for the REST API."""
        command = [sys.executable, "manage.py", "api_token", username]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def request(self, path: str, *, token: str | None = None, payload: object = None) -> tuple[int, bytes]:
        """Return status and body of one HTTP request; with a payload it is a POST."""
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        body = None if payload is None else json.dumps(payload).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def query(self, sql: str, *parameters: object) -> list[Any]:
        """Read the database beside the running product."""
        with closing(sqlite3.connect(self.folder / "llm.sqlite3", timeout=20)) as database:
            return database.execute(sql, parameters).fetchall()

    def processes(self, name: str) -> list[psutil.Process]:
        """Return the live processes of one program."""
        found = []
        for child in psutil.Process(self.process.pid).children(recursive=True):
            try:
                if PROGRAMS[name] in " ".join(child.cmdline()):
                    found.append(child)
            except psutil.NoSuchProcess:
                continue
        return found

    def kill(self, name: str) -> None:
        """Kill one program as a crash would, and wait until supervisor has another."""
        (process,) = self.wait_for(lambda: self.processes(name))
        process.send_signal(signal.SIGKILL)
        self.wait_for(lambda: any(p.pid != process.pid for p in self.processes(name)))
        if name == "web":
            self.wait_for(self.is_serving)

    def logs(self) -> str:
        """Return the end of each log."""
        return "\n".join(
            f"== {path.name}\n{path.read_text(errors='replace')[-3000:]}"
            for path in (self.folder / "log").glob("*.log")
        )


def running() -> Iterator[Product]:
    """Give a product that takes stations as they come; a fixture of whatever scope."""
    with tempfile.TemporaryDirectory(prefix="llm-") as folder:
        product = Product(folder, LLM_ACCEPT_STATIONS="auto")
        product.start()
        yield product
        product.stop()
