"""Sign-in with its second step, and the password that must be changed."""

import time
from typing import Any

from django.contrib.auth import login
from django.contrib.auth import views as auth_views
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse_lazy
from django.utils.crypto import constant_time_compare
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.generic import FormView

from accounts.forms import CodeForm, CountedForm, OwnPasswordForm, SignInForm
from accounts.models import User
from accounts.second_factor import has_second_factor
from accounts.tries import pass_try, return_try

SECOND_STEP = "second_step"
SECOND_STEP_WITHIN_S = 600


def enter(request: HttpRequest, user: User, target: str) -> HttpResponse:
    """Sign a user in and go on to where they were going."""
    login(request, user)
    return redirect(target)


class CountedFormView(FormView):  # type: ignore[type-arg]  # Django's is not generic when it runs
    """A view whose tries are counted: one that has to wait is answered with 429, so that programs know too."""

    def form_invalid(self, form: CountedForm) -> HttpResponse:
        """Show the form again."""
        response = super().form_invalid(form)
        if form.wait_s is not None:
            response.status_code = 429
            response["Retry-After"] = str(form.wait_s)
        return response


class SignIn(CountedFormView, auth_views.LoginView):
    """One sign-in page for everyone."""

    form_class = SignInForm
    template_name = "accounts/sign_in.html"
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Let the user in, or ask for the code where there is a second factor."""
        assert isinstance(form, SignInForm)
        user = form.get_user()
        if not has_second_factor(user):
            pass_try(form.tried)
            return enter(self.request, user, self.get_success_url())
        return_try(form.tried)
        self.request.session[SECOND_STEP] = {
            "user": user.pk,
            "hash": user.get_session_auth_hash(),
            "at": time.time(),
            "next": self.get_success_url(),
        }
        return redirect("sign-in-code")


def user_at_second_step(request: HttpRequest) -> User | None:
    """Return whose password was right in this browser within the last ten minutes; None where a code is of no use."""
    step = request.session.get(SECOND_STEP)
    if step is None or not 0 <= time.time() - step["at"] < SECOND_STEP_WITHIN_S:
        return None
    user = User.objects.filter(pk=step["user"], is_active=True).first()
    if user is None or not constant_time_compare(step["hash"], user.get_session_auth_hash()):
        return None
    return user if has_second_factor(user) else None


@method_decorator(never_cache, name="dispatch")
class SignInCode(CountedFormView):
    """The second step of signing in."""

    form_class = CodeForm
    template_name = "accounts/sign_in_code.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Go back to the first step where it was not done, or too long ago."""
        user = user_at_second_step(request)
        if user is None:
            return redirect("sign-in")
        self.user = user
        return super().dispatch(request, *args, **kwargs)

    def get_form_kwargs(self) -> dict[str, Any]:
        """Tell the form whose code it is."""
        return {**super().get_form_kwargs(), "request": self.request, "user": self.user}

    def form_valid(self, form: CountedForm) -> HttpResponse:  # noqa: ARG002 (Django's interface)
        """Let the user in."""
        step = self.request.session.pop(SECOND_STEP)
        return enter(self.request, self.user, step["next"])


class ChangePassword(CountedFormView, auth_views.PasswordChangeView):
    """Choose a new password; a temporary one stops being temporary."""

    form_class = OwnPasswordForm
    template_name = "accounts/change_password.html"
    success_url = reverse_lazy("overview")

    def get_form_kwargs(self) -> dict[str, Any]:
        """Tell the form where the try comes from."""
        return {**super().get_form_kwargs(), "request": self.request}

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        """Keep the new password and open everything else; the user's other sessions end."""
        form.user.must_change_password = False
        return super().form_valid(form)
