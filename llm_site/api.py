"""The REST API: mounts the router of each app, and says every error in one shape. docs/api.md describes it."""

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI, Swagger
from ninja.errors import AuthenticationError, HttpError, ValidationError
from redis.exceptions import RedisError

from accounts.access import STANDARD, AccessDenied
from badges.api import router as badges
from energy.api import router as energy
from energy.external_limit_api import router as external_limit
from llm_site.api_errors import complaint
from llm_site.settings import VERSION
from llm_site.system.api import router as system
from stations.api import router as stations

# Swagger would otherwise show a badge that has the document checked by another host.
api = NinjaAPI(
    title="Local Load Manager",
    version=VERSION,
    description='Times are ISO 8601 with zone; names end with their unit. Errors are `{"message": …}`.',
    docs=Swagger(settings={"validatorUrl": None}),
    auth=STANDARD,
)
for router in (stations, badges, energy, external_limit, system):
    api.add_router("", router)


def _answer(request: HttpRequest, status: int, message: str) -> HttpResponse:
    return api.create_response(request, {"message": message}, status=status)


@api.exception_handler(AccessDenied)
def denied(request: HttpRequest, error: AccessDenied) -> HttpResponse:
    """Answer who may not."""
    response = _answer(request, error.status, str(error))
    if error.status == 401:
        response["WWW-Authenticate"] = "Bearer"
    if error.wait_s is not None:
        response["Retry-After"] = str(error.wait_s)
    return response


@api.exception_handler(AuthenticationError)
def unknown_user(request: HttpRequest, error: AuthenticationError) -> HttpResponse:  # noqa: ARG001 (ninja's interface)
    """Answer who did not say who they are."""
    message = "send `Authorization: Bearer <token>` (`manage.py api_token` makes one), or sign in at /sign-in/"
    return denied(request, AccessDenied(401, message))


@api.exception_handler(Http404)
def not_found(request: HttpRequest, error: Http404) -> HttpResponse:
    """Answer what is not there."""
    return _answer(request, 404, str(error))


@api.exception_handler(HttpError)
def unreadable(request: HttpRequest, error: HttpError) -> HttpResponse:
    """Answer a body that is no JSON."""
    expected = 'the body cannot be read: expected JSON in UTF-8, such as {"action": "ClearCache"}'
    return _answer(request, error.status_code, expected if error.status_code == 400 else str(error))


@api.exception_handler(RequestDataTooBig)
def too_long(request: HttpRequest, error: RequestDataTooBig) -> HttpResponse:  # noqa: ARG001 (ninja's interface)
    """Answer a body that is longer than any command."""
    most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    return _answer(request, 413, f"the body is too long: expected {most} bytes at most")


@api.exception_handler(ValidationError)
def unfit(request: HttpRequest, error: ValidationError) -> HttpResponse:
    """Answer what cannot be understood, with each complaint."""
    return _answer(request, 422, "; ".join(map(complaint, error.errors)))


@api.exception_handler(RedisError)
def broker_away(request: HttpRequest, error: RedisError) -> HttpResponse:  # noqa: ARG001 (ninja's interface)
    """Answer while nothing can be handed to the process that holds a socket."""
    return _answer(request, 503, "the broker cannot be reached; nothing was sent, try again in a moment")
