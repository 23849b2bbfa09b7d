"""The overview, its live stream and the history of its curve."""

from asgiref.sync import sync_to_async
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone, translation
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from energy import dashboard, live


def _turned_away(request: HttpRequest) -> HttpResponse | None:
    """Send a visitor to the sign-in page where the dashboard is for users only; None: come in."""
    if request.user.is_authenticated or not dashboard.is_restricted():
        return None
    return redirect_to_login(reverse("overview"))


def _viewer(request: HttpRequest) -> live.Viewer:
    return live.Viewer(
        language=translation.get_language() or "en",
        host=request.get_host(),
        is_secure=request.is_secure(),
        is_signed_in=request.user.is_authenticated,
        may_approve=request.user.has_perm("stations.change_station"),
        may_configure=request.user.has_perm("energy.change_installation"),
    )


@require_GET
@never_cache
def overview(request: HttpRequest) -> HttpResponse:
    """Show the page; it keeps itself up to date by `live_overview`."""
    turned_away = _turned_away(request)
    if turned_away is not None:
        return turned_away
    now = dashboard.compute_overview(timezone.now())
    return render(request, "energy/overview.html", {"overview": now, "viewer": _viewer(request)})


@require_GET
async def live_overview(request: HttpRequest) -> HttpResponseBase:
    """Stream the page's changes."""
    turned_away = await sync_to_async(_turned_away)(request)
    if turned_away is not None:
        return turned_away
    return StreamingHttpResponse(
        live.overview_events(await sync_to_async(_viewer)(request), request.session.session_key),
        content_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


@require_GET
@never_cache
def live_history(request: HttpRequest) -> HttpResponse:
    """Give the points of the last 15 minutes as JSON arrays (see `dashboard.point_of`)."""
    turned_away = _turned_away(request)
    if turned_away is not None:
        return turned_away
    return JsonResponse(dashboard.points_since(timezone.now() - dashboard.HISTORY), safe=False)


@require_GET
@never_cache
def history_table(request: HttpRequest) -> HttpResponse:
    """Show the curve of the last 15 minutes as a table."""
    turned_away = _turned_away(request)
    if turned_away is not None:
        return turned_away
    rows = dashboard.points_each_minute(timezone.now() - dashboard.HISTORY)
    return render(request, "energy/history.html", {"rows": rows})
