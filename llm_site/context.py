"""What every template may show."""

from functools import partial
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from llm_site.first_start.services import is_first_start
from llm_site.menu import menu_of


def product(request: HttpRequest) -> dict[str, Any]:
    """Give the version, the edition, the side menu, and whether this is the first start: asked where it is shown."""
    return {
        "version": settings.VERSION,
        "edition": settings.EDITION,
        "menu": SimpleLazyObject(partial(menu_of, request)),
        "is_first_start": lambda: is_first_start(request.user),
    }
