"""The pages for what failed in the load manager itself; made without the database, which may be what failed."""

import errno
import sys
import tempfile

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

FULL = (errno.ENOSPC, errno.EDQUOT)


def server_error(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 (Django's interface)
    """Say that a page failed; where what was sent found no room, that."""
    error = sys.exc_info()[1]
    return no_room() if is_no_room(error) else HttpResponse(render_to_string("500.html"), status=500)


def is_no_room(error: BaseException | None) -> bool:
    """Say whether a disk was full."""
    return isinstance(error, OSError) and error.errno in FULL


def no_room() -> HttpResponse:
    """Say that what was sent found no room."""
    return HttpResponse(render_to_string("507.html", {"folder": tempfile.gettempdir()}), status=507)
