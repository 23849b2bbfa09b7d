"""A real supervisor with programs that do nothing: what is stopped for a restore comes back, whatever happens."""

import subprocess
import sys

import pytest

from llm_site.system.programs import programs, stopped_for_restore
from tests.llm_site.system.rich_site import ROOT, run

LOOKS = 600

CONFIGURATION = """
[supervisord]
nodaemon=true
logfile={folder}/supervisord.log
pidfile={folder}/supervisord.pid
[unix_http_server]
file={folder}/s.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[program:web]
command=sleep 1000
[program:control]
command=sleep 1000
[program:redis]
command=sleep 1000
[program:garage]
command=sleep 1000
autostart=false
"""


@pytest.fixture
def socket(tmp_path_factory):
    folder = tmp_path_factory.mktemp("s")
    (folder / "supervisord.conf").write_text(CONFIGURATION.format(folder=folder))
    command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(folder / "supervisord.conf")]
    supervisor = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    socket = folder / "s.sock"
    try:
        wait_until(supervisor, lambda: running(socket) == {"web", "control", "redis"})
        yield socket
    finally:
        supervisor.terminate()
        supervisor.wait(30)


def wait_until(process, condition):
    """Look again and again, for a minute at most, while a process lives."""
    for _ in range(LOOKS):
        if condition():
            return
        try:
            process.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError("waited in vain")


def running(socket):
    return {program.name for program in programs(socket) if program.is_running}


def starting_or_running(socket):
    return {program.name for program in programs(socket) if program.is_up}


def test_only_what_works_with_the_database_stops_and_comes_back(socket):
    with stopped_for_restore(socket) as are_started_again:
        assert are_started_again
        assert starting_or_running(socket) == {"redis"}
    assert starting_or_running(socket) == {"web", "control", "redis"}


def test_what_was_stopped_comes_back_after_a_restore_that_was_killed(socket, tmp_path):
    script = (
        "import os; from pathlib import Path; from llm_site.system.programs import stopped_for_restore\n"
        f"with stopped_for_restore(Path({str(socket)!r})): os.kill(os.getpid(), 9)"
    )
    assert run(tmp_path, "-c", script).returncode == -9
    waiting = subprocess.Popen(["sleep", "1000"], cwd=ROOT)
    try:
        wait_until(waiting, lambda: starting_or_running(socket) == {"web", "control", "redis"})
    finally:
        waiting.terminate()
        waiting.wait()


def test_without_a_supervisor_nothing_is_stopped(tmp_path):
    with stopped_for_restore(tmp_path / "none.sock") as are_started_again:
        assert not are_started_again
    assert programs(tmp_path / "none.sock") == []
