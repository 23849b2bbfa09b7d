"""Measure the export of a long history: `make bench-export`.

Real processes and their real database, filled with a million transactions of 20 stations within a year. Each format is
downloaded as a signed-in browser does it; printed are the time to the first byte, the rows per second, and the most
memory the web process needed meanwhile. Then comes a reader who takes the first piece and no more for ten seconds;
last the summary of the year, by two prices.
"""

import argparse
import http.client
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import IO, NamedTuple

import psutil

from tests.e2e.product import ROOT, Product

ROWS, GOAL_FIRST_S, GOAL_RSS_MB = 1_000_000, 1.0, 200.0
KINDS = ("csv", "json", "xlsx")
READ_AT_ONCE, LOOK_EACH_S = 2**16, 0.05
IDLE_S = 10.0
GOAL_SUMMARY_S = 3.0
ROW = {"csv": b"\n", "json": b'{"transactionId"', "xlsx": b"<row>"}


class Download(NamedTuple):
    """What one download took. `rss_mb` is the peak of the web process."""

    first_s: float
    whole_s: float
    size_mb: float
    rss_mb: float


def download(product: Product, path: str, session: str, file: Path) -> Download:
    """Read a file as fast as it comes, and watch the web process."""
    (web,) = product.processes("web")
    connection = http.client.HTTPConnection("127.0.0.1", product.port, timeout=120)
    began = time.perf_counter()
    connection.request("GET", path, headers={"Cookie": f"sessionid={session}"})
    answer = connection.getresponse()
    if answer.status != 200:
        raise RuntimeError(f"{path}: status {answer.status}")
    size, peak, looked, first_s = 0, 0, 0.0, 0.0
    with file.open("wb") as kept:
        while data := answer.read1(READ_AT_ONCE):
            now = time.perf_counter()
            first_s = first_s or now - began
            size += kept.write(data)
            if now - looked > LOOK_EACH_S:
                peak, looked = max(peak, resident(web)), now
    connection.close()
    return Download(first_s, time.perf_counter() - began, size / 1e6, peak / 1e6)


def stall(product: Product, path: str, session: str) -> float:
    """Take the first piece of a file and no more for a while; returns the peak of the web process, MB."""
    (web,) = product.processes("web")
    connection = http.client.HTTPConnection("127.0.0.1", product.port, timeout=120)
    connection.request("GET", path, headers={"Cookie": f"sessionid={session}"})
    connection.getresponse().read1(READ_AT_ONCE)
    until, peak = time.monotonic() + IDLE_S, 0
    while time.monotonic() < until:
        time.sleep(LOOK_EACH_S)
        peak = max(peak, resident(web))
    connection.close()
    return peak / 1e6


def rows_in(file: Path, kind: str) -> int:
    """Count the rows of a downloaded file, below its heading."""
    if kind == "json":
        return _count(file.open("rb"), ROW[kind])
    if kind == "csv":
        return _count(file.open("rb"), ROW[kind]) - 1
    with zipfile.ZipFile(file) as book:
        sheets = [name for name in book.namelist() if name.startswith("xl/worksheets/")]
        return sum(_count(book.open(name), ROW[kind]) - 1 for name in sheets)


def _count(file: IO[bytes], mark: bytes) -> int:
    """Count a mark, also where two reads part it."""
    found, rest = 0, b""
    with file:
        while data := file.read(READ_AT_ONCE):
            found += (rest + data).count(mark)
            rest = (rest + data)[-(len(mark) - 1) :] if len(mark) > 1 else b""
    return found


def resident(process: psutil.Process) -> int:
    """Return the bytes a process has in memory."""
    return int(process.memory_info().rss)


def main() -> int:
    """Measure; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=ROWS)
    rows = parser.parse_args().rows
    is_met = True
    with tempfile.TemporaryDirectory(prefix="llm-bench-") as folder:
        product = Product(folder)
        product.start()
        try:
            print(f"filling in {rows:,} transactions …", flush=True)
            fill = [sys.executable, "-m", "tests.bench.fill_history", str(rows)]
            done = subprocess.run(
                fill, cwd=ROOT, env=product.environment, stdout=subprocess.PIPE, text=True, check=True
            )
            session = done.stdout.strip()
            print("format   first byte s   rows/s   whole s      MB   peak RSS MB")
            for kind in KINDS:
                path = f"/export/transactions.{kind}?from=2024-01-01&to=2024-12-31"
                file = Path(folder) / f"export.{kind}"
                took = download(product, path, session, file)
                speed = rows / took.whole_s
                print(
                    f"{kind:<8} {took.first_s:>12.3f} {speed:>8.0f} {took.whole_s:>9.1f} "
                    f"{took.size_mb:>7.1f} {took.rss_mb:>13.0f}",
                    flush=True,
                )
                if rows_in(file, kind) != rows:
                    raise RuntimeError(f"{kind}: {rows_in(file, kind)} rows came")
                is_met &= took.first_s < GOAL_FIRST_S and took.rss_mb < GOAL_RSS_MB
            idle_mb = stall(product, "/export/transactions.csv?from=2024-01-01&to=2024-12-31", session)
            print(f"a reader who takes nothing for {IDLE_S:g} s: {idle_mb:.0f} MB", flush=True)
            is_met &= idle_mb < GOAL_RSS_MB
            path = "/export/summary/?by=range&first=2024-01-01&last=2024-12-31&csv=1"
            took = download(product, path, session, Path(folder) / "summary.csv")
            print(f"the summary, by two prices: {took.whole_s:.1f} s", flush=True)
            is_met &= took.whole_s < GOAL_SUMMARY_S
        finally:
            product.stop()
    goals = f"first byte within {GOAL_FIRST_S:g} s, less than {GOAL_RSS_MB:g} MB, summary within {GOAL_SUMMARY_S:g} s"
    print(f"goals: {goals}: {'met' if is_met else 'MISSED'}")
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
