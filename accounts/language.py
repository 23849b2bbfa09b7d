"""Each user's language: chosen in the header, kept with the user, the same on every browser (SPEC S7)."""

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils import translation
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from accounts.both_ways import before
from accounts.models import User


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


# Comes after the middleware of the browser's language and of the user.
language_of_user = before(_speak, look=_language_of)
