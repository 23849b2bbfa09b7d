"""Each user's language: chosen in the header, kept with the user, the same on every browser (SPEC S7)."""

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils import translation
from django.utils.decorators import sync_and_async_middleware
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from accounts.models import User

GetResponse = Callable[[HttpRequest], Any]


@require_POST
def choose_language(request: HttpRequest) -> HttpResponseBase:
    """Remember the language in the browser, and with the user where one is signed in."""
    language = request.POST.get("language")
    if isinstance(request.user, User) and language in dict(settings.LANGUAGES):
        User.objects.filter(pk=request.user.pk).update(language=language)
    return set_language(request)


def _language_of(request: HttpRequest) -> str:
    return getattr(request.user, "language", "")


def _speak(request: HttpRequest, language: str) -> None:
    """Answer in this language; in the browser's where the user chose none."""
    if language:
        translation.activate(language)
        request.LANGUAGE_CODE = translation.get_language()


@sync_and_async_middleware
def language_of_user(get_response: GetResponse):  # type: ignore[no-untyped-def]
    """Middleware, for sync and async views alike; after those of the browser's language and of the user."""
    if iscoroutinefunction(get_response):

        async def async_middleware(request: HttpRequest) -> Any:
            _speak(request, await sync_to_async(_language_of)(request))
            return await get_response(request)

        return async_middleware

    def middleware(request: HttpRequest) -> Any:
        _speak(request, _language_of(request))
        return get_response(request)

    return middleware
