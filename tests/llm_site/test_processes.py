"""What deploy/supervisord.conf says of the processes."""

import configparser
import os
import platform
import subprocess
import sys

import pytest
from django.conf import settings

MIB = 2**20
A_LARGE_BLOCK_AND_THEN_MANY_SMALL_ONES = """
import ctypes
c = ctypes.CDLL(None)
c.malloc.restype, c.malloc.argtypes, c.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096
def use(size, count):
    blocks = [c.malloc(size) for _ in range(count)]
    for block in blocks:
        ctypes.memset(block, 1, size)
    for block in blocks:
        c.free(block)
before = resident()
use(20 * 2**20, 1)
use(50_000, 600)
print(resident() - before)
"""


def variables_of(program: str) -> dict[str, str]:
    """Read what a program has in its environment beside what it inherits."""
    conf = configparser.RawConfigParser(inline_comment_prefixes=(" ;",))
    conf.read(settings.BASE_DIR / "deploy/supervisord.conf")
    given = conf[f"program:{program}"].get("environment", "")
    pairs = (pair.split("=", 1) for pair in given.split(",") if pair)
    return {name.strip(): value.strip().strip('"') for name, value in pairs}


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc that keeps what was freed")
def test_the_web_process_gives_back_what_a_long_message_took():
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    done = subprocess.run(
        [sys.executable, "-c", A_LARGE_BLOCK_AND_THEN_MANY_SMALL_ONES],
        env=inherited | variables_of("web"),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert int(done.stdout) < 5 * MIB
