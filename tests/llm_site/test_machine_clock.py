import ctypes

import pytest

from llm_site.machine_clock import _Timex, machine_clock

TRACKING = "C0A80101,ntp.example.org,3,1700000000.0,-0.000125,0.0,0.0,0.0,0.0,0.0,0.01,0.002,64.0,Normal"


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Make programs of the tests' own the only ones there are."""
    monkeypatch.setenv("PATH", str(tmp_path))

    def install(name, script):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o700)

    return install


@pytest.mark.usefixtures("programs")
def test_without_any_program_the_kernel_answers():
    clock = machine_clock()
    assert clock.source in ("operating system", "")
    assert (clock.is_synchronised is None) == (clock.source == "")
    assert (clock.error_s is not None) == bool(clock.is_synchronised)


def test_chrony_is_named_with_its_server_and_offset(programs):
    programs("chronyc", f"echo {TRACKING}")
    clock = machine_clock()
    assert clock.source == "chrony: ntp.example.org"
    assert clock.offset_s == -0.000125


def test_timesyncd_is_named_with_its_server(programs):
    programs("chronyc", "echo '506 Cannot talk to daemon'; exit 1")
    programs("timedatectl", 'test "$1" = show-timesync && echo 0.pool.ntp.org')
    assert machine_clock().source == "systemd-timesyncd: 0.pool.ntp.org"


@pytest.mark.parametrize("script", ["while :; do :; done", "printf '\\377,\\377'", "exit 3", "echo a,b,c,d,e"])
def test_a_program_that_hangs_fails_or_talks_nonsense_does_no_harm(programs, script):
    programs("timedatectl", script)
    programs("chronyc", script)
    assert machine_clock().is_synchronised in (True, False, None)


def test_there_is_room_for_all_that_the_kernel_writes():
    assert ctypes.sizeof(_Timex) >= 208  # struct timex on a 64-bit Linux
