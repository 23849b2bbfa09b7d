"""Measure what the messages of stations cost: `make bench-ocpp`.

Real processes and their real database (LLM_DATABASE_URL chooses another than SQLite). 100 stations in closed loop send
Heartbeats, MeterValues that are kept before they are answered, and whole sessions, in turn and five times; printed is
the CPU time of the web process per message (median, and the range). Then 1,000 stations with passwords lose their
sockets and come back at once, three times: the seconds until each has its BootNotification answered.
"""

import argparse
import json
import secrets
import statistics
import subprocess
import sys
import tempfile
from typing import Any

from tests.e2e.product import ROOT, Product

GOALS_US = {"heartbeat": 150, "metering": 400}
STATIONS, STORM_STATIONS, STORM_GOAL_S, STORMS = 100, 1000, 10, 3
UNCOUNTED, WARM_UP_S = 2, 8  # stations that are new are asked what they can
SITE = "installation: {{mode: static, phases: 3, fuse_a: 63, static_limit_a: 48}}\nstations: [{stations}]\n"


def load(product: Product, *options: str) -> dict[str, Any]:
    """Run the load generator against the web process; returns its report."""
    (web,) = product.processes("web")
    command = [sys.executable, str(ROOT / "tests/bench/ocpp_load.py"), "--url", product.url, "--pid", str(web.pid)]
    done = subprocess.run([*command, "--json", *options], stdout=subprocess.PIPE, check=False)
    report: dict[str, Any] = json.loads(done.stdout)
    if report["errors"]:
        print(f"  errors: {report['errors']}")
    return report


def measure_messages(product: Product, rounds: int, duration_s: float) -> bool:
    """Print what each kind of message costs; returns whether the goals are met without an error."""
    reports: dict[str, list[dict[str, Any]]] = {mix: [] for mix in ("heartbeat", "metering", "session")}
    options = ["--stations", str(STATIONS), "--warmup", str(WARM_UP_S), "--duration", str(duration_s)]
    for _ in range(UNCOUNTED):
        load(product, "--mix", "session", *options)
    for _ in range(rounds):
        for mix, done in reports.items():
            done.append(load(product, "--mix", mix, *options))
    print(f"\n{STATIONS} stations in closed loop, {rounds} rounds of {duration_s:g} s each")
    print("message     CPU µs, median (range)     goal   messages/s   reply ms p50 / p99")
    for mix, done in reports.items():
        costs = [report["load"]["cpu_us_per_msg"] for report in done]
        middle = sorted((report["load"] for report in done), key=lambda run: run["msgs_per_s"])[len(done) // 2]
        spread = f"{statistics.median(costs):5.0f} ({min(costs):.0f}–{max(costs):.0f})"
        times = f"{middle['latency_ms']['p50']:.1f} / {middle['latency_ms']['p99']:.1f}"
        print(f"{mix:<11} {spread:<26} {GOALS_US.get(mix, '–'):>4}   {middle['msgs_per_s']:>10.0f}   {times}")
    return all(
        not any(report["errors"] for report in done)
        and statistics.median(report["load"]["cpu_us_per_msg"] for report in done) <= GOALS_US.get(mix, float("inf"))
        for mix, done in reports.items()
    )


def measure_storm(product: Product) -> bool:
    """Print how long 1,000 stations with passwords take to come back; returns whether the goal is met without error."""
    password, first = secrets.token_hex(16), 100_001
    identities = [f"CP{first + number:05d}" for number in range(STORM_STATIONS)]
    product.apply(SITE.format(stations=", ".join(f"{{identity: {name}, password: {password}}}" for name in identities)))
    options = ["--stations", str(STORM_STATIONS), "--first", str(first), "--password", password, "--hold", "1"]
    reports = [load(product, *options, "--storm", "--timeout", "60") for _ in range(STORMS)]
    times = [report["storm"]["ready_s"] for report in reports]
    print(f"\n{STORM_STATIONS} stations with passwords reconnect at once: all booted within s (goal {STORM_GOAL_S})")
    print("  " + ", ".join(f"{seconds:.1f}" for seconds in times))
    print(f"  memory of the web process for each: {reports[0]['rss']['kib_per_station']} KiB")
    return not any(report["errors"] for report in reports) and max(times) <= STORM_GOAL_S


def main() -> None:
    """Measure, print, and end with 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--duration", type=float, default=6, help="seconds of counted load in a round")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="llm-bench-") as folder:
        product = Product(folder, LLM_ACCEPT_STATIONS="auto", LLM_LOG_LEVEL="WARNING")
        product.start()
        try:
            results = [measure_messages(product, arguments.rounds, arguments.duration), measure_storm(product)]
        finally:
            product.stop()
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
