"""What every template may show."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def product(request: HttpRequest) -> dict[str, Any]:  # noqa: ARG001 (Django's interface)
    """Give the version and the edition."""
    return {"version": settings.VERSION, "edition": settings.EDITION}
