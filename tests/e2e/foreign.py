"""Programs of another maker, on Node: npm's `ocpp-rpc` as the lock file has it."""

import fcntl
import shutil
import subprocess
from pathlib import Path

import pytest

NODE = Path(__file__).parent / "node"
needs_npm = pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed: its programs were not tried")


def install() -> None:
    """Install what the programs need, once; who comes meanwhile waits."""
    lock_file, installed = NODE / "package-lock.json", NODE / "node_modules" / ".package-lock.json"
    with lock_file.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not installed.exists() or installed.stat().st_mtime < lock_file.stat().st_mtime:
            subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=NODE, check=True)
