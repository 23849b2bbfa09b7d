"""The logs of all processes as one zip."""

import zipfile
from pathlib import Path
from typing import IO

from django.conf import settings

MOST_OF_EACH = 5 * 2**20
CHUNK = 2**20


def write_logs(target: IO[bytes]) -> None:
    """Write the newest part of each log."""
    folder = Path(settings.DATA_DIR) / "log"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.glob("*.log*")):
            _add(archive, path)


def _add(archive: zipfile.ZipFile, path: Path) -> None:
    """Add the end of one log as far as it is written now, from the beginning of a line."""
    with path.open("rb") as log, archive.open(path.name, "w") as member:
        size = log.seek(0, 2)
        log.seek(max(0, size - MOST_OF_EACH))
        if log.tell():
            log.readline(CHUNK)
        while (left := size - log.tell()) > 0 and (chunk := log.read(min(CHUNK, left))):
            member.write(chunk)
