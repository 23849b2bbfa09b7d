"""Sign-in, sign-out, and the password that must be changed."""

from django.contrib.auth import views as auth_views
from django.contrib.auth.forms import PasswordChangeForm
from django.http import HttpResponse
from django.urls import reverse_lazy


class SignIn(auth_views.LoginView):
    """One sign-in page for everyone."""

    template_name = "accounts/sign_in.html"
    redirect_authenticated_user = True


class ChangePassword(auth_views.PasswordChangeView):
    """Choose a new password; a temporary one stops being temporary."""

    template_name = "accounts/change_password.html"
    success_url = reverse_lazy("overview")

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        """Keep the new password and open everything else."""
        form.user.must_change_password = False
        return super().form_valid(form)
