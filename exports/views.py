"""Export of what was charged: the dialogue and the files."""

from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlencode

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from accounts.access import role_required
from accounts.admin_page import admin_page
from accounts.models import Role
from exports.formats import FORMATS
from exports.forms import ExportForm, period_in
from exports.rows import rows_of


@role_required(Role.ADMINISTRATOR)
@require_GET
@never_cache
def export(request: HttpRequest) -> HttpResponse:
    """Ask for the period and the format; send on to the file where both are known."""
    form = ExportForm(request.GET if "by" in request.GET else None)
    if form.is_bound and form.is_valid():
        period = form.period
        days = urlencode({"from": period.first, "to": period.last})
        return redirect(f"{reverse('export-' + form.cleaned_data['format'])}?{days}")
    return admin_page(request, "exports/export.html", {"form": form}, title=_("Export data"))


@role_required(Role.ADMINISTRATOR)
@require_GET
async def export_file(request: HttpRequest, kind: str) -> HttpResponseBase:
    """Send the transactions of a period, piece by piece."""
    zone = timezone.get_current_timezone()
    try:
        period = period_in(request.GET, zone)
    except ValueError as error:
        return HttpResponseBadRequest(str(error), content_type="text/plain")
    content_type, write = FORMATS[kind]
    name = f"transactions-{period.first}-{period.last}.{kind}"
    return StreamingHttpResponse(
        _in_pieces(write(rows_of(period), zone)),
        content_type=content_type,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",
        },
    )


async def _in_pieces(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Make each piece in the thread of this request, so that stations are heard meanwhile."""
    make = sync_to_async(_piece)
    while (piece := await make(pieces)) is not None:
        if piece:  # what is compressed comes in bursts
            yield piece


def _piece(pieces: Iterator[bytes]) -> bytes | None:
    """Make one piece; None after the last."""
    return next(pieces, None)
