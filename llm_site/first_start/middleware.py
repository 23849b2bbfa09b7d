"""An administrator is led through the first start until it is done (SPEC S3–S5)."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from accounts.both_ways import before
from llm_site.first_start.services import is_first_start


def _lead(request: HttpRequest) -> HttpResponse | None:
    """Lead away from the pages where people arrive, and from them alone: who opens another page knows where to go."""
    is_arrival = request.method == "GET" and request.path in (reverse("overview"), reverse("admin:index"))
    return redirect("first-start-place") if is_arrival and is_first_start(request.user) else None


lead_through_first_start = before(lambda _request, led: led, look=_lead)
