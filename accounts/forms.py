"""Forms that ask for a password or a code; each try is counted (`accounts.tries`)."""

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.addresses import client_address
from accounts.models import User
from accounts.second_factor import confirm_set_up, has_second_factor, use_code
from accounts.tries import TooManyTries, Try, begin_try, pass_try, return_try


class CountedForm(forms.Form):
    """A form whose tries are counted; `wait_s` is how long the next one has to wait, None: not at all."""

    wait_s: int | None = None

    def begin(self, request: HttpRequest, username: str) -> Try:
        """Count a try; raises ValidationError where it has to wait."""
        try:
            return begin_try(username=username, address=client_address(request))
        except TooManyTries as held:
            self.wait_s = held.wait_s
            raise forms.ValidationError(str(held)) from None


class SignInForm(CountedForm, AuthenticationForm):
    """Name and password. What becomes of the right try is the view's to say: a second factor may follow."""

    error_messages = {
        **AuthenticationForm.error_messages,
        "invalid_login": gettext_lazy("User name or password is wrong. Capital and small letters differ."),
    }
    tried: Try

    def clean(self) -> dict[str, Any]:
        """Look at the password once the try is counted; an unknown name is answered alike."""
        username = self.cleaned_data.get("username")
        if username and self.cleaned_data.get("password"):
            assert self.request is not None, "the view gives it"
            self.tried = self.begin(self.request, username)
        return super().clean()


class CodeForm(CountedForm):
    """A code of the second factor."""

    code = forms.CharField(label=gettext_lazy("Code"), max_length=40)

    def __init__(self, *args: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request, self.user = request, user

    def clean_code(self) -> str:
        """Use the code up."""
        code: str = self.cleaned_data["code"]
        tried = self.begin(self.request, self.user.username)
        if not use_code(user=self.user, code=code):
            raise forms.ValidationError(_("The code is wrong or was used already. Wait for the next one."))
        pass_try(tried)
        return code


class ProofForm(CodeForm):
    """Password and code, for what only the user may do and not whoever finds the browser open."""

    password = forms.CharField(label=gettext_lazy("Password"), strip=False)
    field_order = ["password", "code"]

    def clean_password(self) -> str:
        """Look at the password first, so that a wrong one uses up no code."""
        password: str = self.cleaned_data["password"]
        check_counted_password(self, self.request, self.user, password)
        return password

    def clean_code(self) -> str:
        """Use the code up where the password was right."""
        return super().clean_code() if "password" in self.cleaned_data else ""


class ConfirmForm(ProofForm):
    """Password, and the first code of a new authenticator; the code is not counted, as its key is on the same page."""

    recovery_codes: list[str]

    def clean_code(self) -> str:
        """Switch the second factor on where the password was right."""
        code: str = self.cleaned_data["code"]
        if "password" not in self.cleaned_data:
            return ""
        codes = confirm_set_up(user=self.user, code=code)
        if codes is None:
            raise forms.ValidationError(
                _("This is not the code of the key below. Is the time of the phone right? Enter the next code.")
            )
        self.recovery_codes = codes
        return code


class OwnPasswordForm(CountedForm, PasswordChangeForm):
    """The old password and a new one."""

    def __init__(self, user: User, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(user, *args, **kwargs)
        self.request = request
        labels = {
            "old_password": _("Present password"),
            "new_password1": _("New password"),
            "new_password2": _("New password again"),
        }
        for name, label in labels.items():
            self.fields[name].label = label

    @property
    def focused(self) -> str:
        """Name the field to begin with: the first one that is wrong."""
        return next((name for name in self.fields if name in self.errors), "old_password")

    def clean_new_password1(self) -> str:
        """Refuse the one that is to go: a temporary password would stay known to who gave it (SPEC S29)."""
        password: str = self.cleaned_data["new_password1"]
        if password == self.cleaned_data.get("old_password"):
            raise forms.ValidationError(_("This is the present password: choose another one."))
        return password

    def clean_old_password(self) -> str:
        """Look at the old password."""
        password: str = self.cleaned_data["old_password"]
        check_counted_password(self, self.request, self.user, password)
        return password


def check_counted_password(form: CountedForm, request: HttpRequest, user: User, password: str) -> None:
    """Raise ValidationError where this is not the user's password, or the try has to wait.

    Where there is a second factor, the password alone makes no failure forgotten: codes could be guessed without end.
    """
    tried = form.begin(request, user.username)
    if not user.check_password(password):
        raise forms.ValidationError(_("This is not your password."))
    if has_second_factor(user):
        return_try(tried)
    else:
        pass_try(tried)
