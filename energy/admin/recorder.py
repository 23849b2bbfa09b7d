"""The flight recorder in the admin: the minutes that were recorded, and each as curves with what was decided."""

from collections.abc import Hashable
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.admin_page import admin_page
from accounts.read_only import ReadOnlyAdmin
from energy.models import Recording
from energy.pictures import draw_lines
from energy.reasons import explain
from energy.recorder import Cycle, cycles_of, unpack
from stations.models import Connector

TIMES = 3  # marks below the curves


@admin.register(Recording)
class RecordingAdmin(ReadOnlyAdmin):
    """About a minute of the loop each, newest first."""

    list_display = ["begins_at", "ends_at", "cycles", "size_shown"]
    date_hierarchy = "begins_at"
    show_full_result_count = False
    list_per_page = 60

    @admin.display(description=_("size"))
    def size_shown(self, obj: Recording) -> str:
        """Say how much it takes."""
        return f"{len(obj.data) / 1024:.1f} KiB"

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",  # noqa: ARG002 (Django's interface)
        extra_context: Any = None,  # noqa: ARG002
    ) -> HttpResponse:
        """Show a minute."""
        recording = self.get_object(request, object_id)
        if not isinstance(recording, Recording):
            raise Http404(f"there is no recorded minute {object_id!r}")
        if not self.has_view_permission(request, recording):
            raise PermissionDenied
        cycles = list(cycles_of(unpack(recording)))
        context = {
            "recording": recording,
            "before": Recording.objects.filter(begins_at__lt=recording.begins_at).order_by("-begins_at").first(),
            "after": Recording.objects.filter(begins_at__gt=recording.begins_at).order_by("begins_at").first(),
            "pictures": _pictures(cycles),
            "times": [_clock(cycle) for cycle in _some(cycles)],
            "rows": _rows(cycles),
        }
        return admin_page(request, "energy/recording.html", context, title=str(recording), within=self)


def _pictures(cycles: list[Cycle]) -> Any:
    """Draw building and charging under the limit; where the meter said nothing, the building is left out."""
    building, charging, limit = [], [], []
    for cycle in cycles:
        drawn = [0.0, 0.0, 0.0]
        for one in cycle.seen.connectors:
            for line, current_a in zip(one.wiring, one.drawn or (), strict=False):
                drawn[line] += current_a
        grid = cycle.seen.grid or drawn
        building.append([max(0.0, flow - taken) for flow, taken in zip(grid, drawn, strict=True)])
        charging.append(drawn)
        limit.append(list(cycle.seen.limit))
    return draw_lines(building, charging, limit) if cycles else []


def _some(cycles: list[Cycle]) -> list[Cycle]:
    """Choose whose times stand below the curves."""
    last = len(cycles) - 1
    return [cycles[last * number // (TIMES - 1)] for number in range(TIMES)] if cycles else []


def _rows(cycles: list[Cycle]) -> list[dict[str, Any]]:
    """List what each connector had at first, and then each change of its limit."""
    names: dict[Hashable, Connector] = {
        connector.pk: connector for connector in Connector.objects.select_related("station")
    }
    told: dict[Any, float] = {}
    rows = []
    for cycle in cycles:
        for key, limit_a in cycle.allocations.items():
            if told.get(key) != limit_a:
                code, params = cycle.reasons[key]
                rows.append(
                    {
                        "at": _clock(cycle),
                        "connector": names.get(key, key),
                        "before_a": told.get(key),
                        "limit_a": limit_a,
                        "reason": explain(code, params),
                    }
                )
        told = dict(cycle.allocations)
    return rows


def _clock(cycle: Cycle) -> str:
    """Write the time of a decision where the garage is."""
    at = datetime.fromtimestamp(cycle.seen.now, tz=timezone.get_current_timezone())
    return f"{at:%H:%M:%S}"
