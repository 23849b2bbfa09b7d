"""The overview, its live stream and the history of its curve."""

from asgiref.sync import sync_to_async
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone, translation
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from accounts.access import has_role
from accounts.models import Role
from energy import curve, dashboard, live
from stations.setting_up import count_wired_otherwise


def _turned_away(request: HttpRequest) -> HttpResponse | None:
    """Send a visitor to the sign-in page where the dashboard is for users only; None: come in."""
    if request.user.is_authenticated or not dashboard.is_restricted():
        return None
    return redirect_to_login(reverse("overview"))


def _viewer(request: HttpRequest) -> live.Viewer:
    may_approve = request.user.has_perm("stations.change_station")
    return live.Viewer(
        language=translation.get_language() or "en",
        host=request.get_host(),
        is_secure=request.is_secure(),
        is_signed_in=request.user.is_authenticated,
        may_approve=may_approve,
        may_configure=request.user.has_perm("energy.change_installation"),
        may_command=has_role(request.user, Role.ADMINISTRATOR),
        wired_otherwise=count_wired_otherwise() if may_approve else 0,
    )


@require_GET
@never_cache
def overview(request: HttpRequest) -> HttpResponse:
    """Show the page; it keeps itself up to date by `live_overview`."""
    turned_away = _turned_away(request)
    if turned_away is not None:
        return turned_away
    now = dashboard.compute_overview(timezone.now())
    return render(
        request, "energy/overview.html", {"overview": now, "viewer": _viewer(request), "spans": list(curve.Span)}
    )


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
    """Give the points of the curve as JSON arrays (see `curve.point_of`): ?span=quarter, day or week."""
    turned_away = _turned_away(request)
    if turned_away is not None:
        return turned_away
    return JsonResponse(curve.points_of(curve.span_of(request.GET.get("span")), timezone.now()), safe=False)


@require_GET
@never_cache
def history_table(request: HttpRequest) -> HttpResponse:
    """Show the curve as a table: ?span=quarter, day or week."""
    turned_away = _turned_away(request)
    if turned_away is not None:
        return turned_away
    span = curve.span_of(request.GET.get("span"))
    context = {"span": span, "spans": list(curve.Span), "rows": curve.table_of(span, timezone.now())}
    return render(request, "energy/history.html", context)
