"""Addresses that no page has."""

from django.http import HttpRequest, HttpResponse, JsonResponse

from accounts.both_ways import before


def _refusal(request: HttpRequest, _found: None) -> HttpResponse | None:
    """Refuse a NUL character in path or query, which PostgreSQL keeps in no text and looks for in none."""
    if "\x00" in request.path or "%00" in request.META.get("QUERY_STRING", ""):
        return JsonResponse({"message": "expected an address without NUL characters"}, status=400)
    return None


refuse_nul = before(_refusal)
