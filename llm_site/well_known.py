"""What programs ask of any web server (RFC 8615): here, where stations connect."""

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from llm_site.system.machine import ocpp_addresses


@never_cache
@require_safe
def ocpp(request: HttpRequest) -> JsonResponse:  # noqa: ARG001 (Django's interface)
    """Name the OCPP addresses of the load manager, before the identity; the announcement on the network does too."""
    return JsonResponse({"product": "Local Load Manager", "version": settings.VERSION, "ocpp1.6": ocpp_addresses()})
