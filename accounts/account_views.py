"""One's own account: language, second factor, sessions."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from accounts.forms import ConfirmForm, CountedForm, ProofForm
from accounts.models import User
from accounts.second_factor import (
    begin_set_up,
    count_recovery_codes,
    has_second_factor,
    key_as_text,
    lacks_second_factor,
    qr_code,
    remove_second_factor,
    renew_recovery_codes,
)
from accounts.sessions import describe_sessions, end_session, end_sessions, sign_out_elsewhere
from accounts.views import CountedFormView


class SignedInRequest(HttpRequest):
    """A request that `login_required` let through."""

    user: User
    LANGUAGE_CODE: str


@login_required
@require_GET
@never_cache
def account(request: SignedInRequest) -> HttpResponse:
    """Show the page."""
    context = {
        "has_second_factor": has_second_factor(request.user),
        "codes_left": count_recovery_codes(request.user),
        "sessions": describe_sessions(request.user, own_key=request.session.session_key),
    }
    return render(request, "accounts/account.html", context)


@login_required
@require_POST
def end_one_session(request: SignedInRequest) -> HttpResponse:
    """End one of the user's sessions; one's own is ended by signing out."""
    if end_session(user=request.user, handle=request.POST.get("session", "")):
        messages.success(request, _("That browser was signed out."))
    return redirect("account")


@login_required
@require_POST
def end_other_sessions(request: SignedInRequest) -> HttpResponse:
    """End all sessions of the user but this one."""
    count = sign_out_elsewhere(user=request.user, but=request.session.session_key)
    text = ngettext("%(count)d other browser was signed out.", "%(count)d other browsers were signed out.", count)
    messages.success(request, text % {"count": count})
    return redirect("account")


class OwnFormView(LoginRequiredMixin, CountedFormView):
    """A form of one's own account."""

    is_on = True  # whether the page is for those who have a second factor, or for those who have none

    @method_decorator(never_cache)
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Send those back to whom the page says nothing."""
        if isinstance(request.user, User) and has_second_factor(request.user) != self.is_on:
            return redirect("account")
        return super().dispatch(request, *args, **kwargs)

    @property
    def user(self) -> User:
        """Return who is signed in."""
        assert isinstance(self.request.user, User), "the mixin lets nobody else in"
        return self.request.user

    def get_form_kwargs(self) -> dict[str, Any]:
        """Tell the form whose it is."""
        return {**super().get_form_kwargs(), "request": self.request, "user": self.user}

    def show_codes(self, codes: list[str]) -> HttpResponse:
        """Show new recovery codes, this once: they are kept nowhere."""
        text = "\n".join(codes) + "\n"
        return render(self.request, "accounts/recovery_codes.html", {"codes": codes, "text": text})


class SetUpSecondFactor(OwnFormView):
    """Read the key with an app, and show by the password and a code who has it."""

    is_on = False
    form_class = ConfirmForm
    template_name = "accounts/second_factor.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the key, drawn and in text."""
        device = begin_set_up(user=self.user)
        site = f"{_('Local load manager')} {self.request.get_host().partition(':')[0]}"
        drawn = {"key": key_as_text(device), "qr_code": qr_code(device, site=site)}
        return super().get_context_data(**drawn, is_needed=lacks_second_factor(self.user), **kwargs)

    def form_valid(self, form: CountedForm) -> HttpResponse:
        """End the other sessions, which were opened with the password alone, and show the recovery codes."""
        assert isinstance(form, ConfirmForm)
        end_sessions(user=self.user, but=self.request.session.session_key)
        return self.show_codes(form.recovery_codes)


class RenewRecoveryCodes(OwnFormView):
    """Make new recovery codes; the old ones end."""

    form_class = ProofForm
    template_name = "accounts/renew_codes.html"

    def form_valid(self, form: CountedForm) -> HttpResponse:  # noqa: ARG002 (Django's interface)
        """Show the new codes."""
        return self.show_codes(renew_recovery_codes(user=self.user))


class RemoveSecondFactor(OwnFormView):
    """Sign in with the password alone again."""

    form_class = ProofForm
    template_name = "accounts/remove_second_factor.html"

    def form_valid(self, form: CountedForm) -> HttpResponse:  # noqa: ARG002 (Django's interface)
        """Remove it."""
        remove_second_factor(user=self.user)
        messages.success(self.request, _("The second factor is off: your password alone lets you in."))
        return redirect("account")
