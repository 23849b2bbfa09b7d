"""Measure an import of badges: seconds for each step, how long the database is held, and the most memory.

`python -m bench.badge_import` makes a database of its own in a temporary folder. Limits: 30 s and 300 MB for 50,000
rows.
"""

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

MOST_S, MOST_MB = 30.0, 300.0


def file_of(rows: int, *, comment: str) -> bytes:
    """Write a file as a French Excel does; some rows are wrong."""
    lines = ["badgeId;type;comment;expirationDate;email"]
    for number in range(rows):
        kind = "SUPERVISOR" if number % 50 == 0 else "STANDARD"
        day = "31/02/2030" if number % 1000 == 999 else f"{number % 28 + 1:02}/{number % 12 + 1:02}/2030"
        lines.append(f"04{number:010X};{kind};{comment} {number} é;{day};driver{number}@example.org")
    return "\r\n".join([*lines, ""]).encode("utf-8-sig")


@contextmanager
def timed(name: str, taken: list[float]) -> Iterator[None]:
    """Print and note how long something takes."""
    started, worked = time.perf_counter(), time.process_time()
    yield
    taken.append(time.perf_counter() - started)
    print(f"{name:<28} {taken[-1]:>8.2f} s {time.process_time() - worked:>8.2f} s of CPU")


def measure(name: str, raw: bytes, taken: list[float]) -> None:
    """Import one file as the pages and the worker do."""
    from badges.import_models import BadgeImport
    from badges.importing import begin_import, check_on, confirm_import, write_import

    with timed(f"{name}: take the file", taken):
        run = begin_import(file_name="badges.csv", raw=raw, user=None, address=None)
    with timed(f"{name}: check", taken):
        while check_on(run=run):
            pass
    confirm_import(run=run, leaves_out_wrong=True, user=None, address=None)
    with timed(f"{name}: write", taken):
        write_import(run=run)
    job = BadgeImport.get_solo()
    print(f"{'':<28} {job.new:,} new, {job.changed:,} changed, {job.unchanged:,} unchanged, {job.wrong:,} wrong")


def export() -> int:
    """Export all badges as the page does; returns the size of the file."""
    from badges.csv_files.table import write_table
    from badges.csv_resource import exported
    from badges.models import Badge

    return len(write_table(exported(Badge.objects.all()), ";"))


def run(rows: int) -> int:
    """Import new badges, then change all of them; return 1 where a limit is broken."""
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    is_late = False
    for name, comment in (("new", "Garage"), ("changed", "Parking")):
        taken: list[float] = []
        measure(name, file_of(rows, comment=comment), taken)
        print(f"{name + ': in all':<28} {sum(taken):>8.2f} s")
        is_late = is_late or sum(taken) > MOST_S
    with timed("export", []):
        size = export()
    most_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{'export':<28} {size / 1e6:>8.2f} MB\n{'most memory':<28} {most_mb:>8.0f} MB")
    return int(is_late or most_mb > MOST_MB)


def main() -> int:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"LLM_DATA_DIR": folder, "DJANGO_SETTINGS_MODULE": "llm_site.settings"}
        return run(rows)


if __name__ == "__main__":
    sys.exit(main())
