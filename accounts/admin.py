"""Users and the access to the dashboard in the admin."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import UserChangeForm
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from solo.admin import SingletonModelAdmin
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.forms import AdminPasswordChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminRadioSelectWidget

from accounts import changes_page  # noqa: F401 (registers its page)
from accounts.access import has_role
from accounts.admin_page import admin_page
from accounts.models import AccessSettings, Role, User
from accounts.services import (
    apply_role,
    end_token,
    hold_administrators,
    is_last_administrator,
    renew_token,
    save_with_role,
)
from accounts.ways_in import WaysIn
from accounts.words import labelled

admin.site.unregister(Group)

DUTIES = {
    Role.STANDARD: gettext_lazy("sees the overview."),
    Role.ADVANCED: gettext_lazy("sees the overview, manages badges, and makes and manages Standard users."),
    Role.ADMINISTRATOR: gettext_lazy("may do everything: installation, meter, stations, badges, users, access."),
}


class RoleWidget(UnfoldAdminRadioSelectWidget):  # type: ignore[misc]
    """The profiles one below the other, each with all it says."""

    option_template_name = "accounts/role_option.html"


class UserForm(UserChangeForm):  # type: ignore[type-arg]  # Django's is not generic when it runs
    """A user's settings; somebody must go on administering, and nobody locks themselves out."""

    asked_by: User

    def __init__(self, *args: Any, **parameters: Any) -> None:
        super().__init__(*args, **parameters)
        self.fields["is_active"].help_text = _(
            "A deactivated user can neither sign in nor use the REST API. What they did stays on record."
        )

    def clean(self) -> dict[str, Any]:
        """Refuse to lose the last administrator, or the rights of who asks."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        remains = cleaned.get("role", self.instance.role) == Role.ADMINISTRATOR and cleaned.get("is_active")
        if remains:
            return cleaned
        hold_administrators()
        if is_last_administrator(self.instance):
            self.add_error("role", _("This is the last active administrator: make another one first."))
        elif self.instance.pk == self.asked_by.pk:
            self.add_error("role", _("You would lock yourself out: ask another administrator to change your profile."))
        return cleaned


class TemporaryPasswordForm(AdminPasswordChangeForm):  # type: ignore[misc]
    """A password that somebody else gives is temporary (SPEC S29)."""

    def save(self, commit: bool = True) -> User:
        """Keep it until the first sign-in."""
        self.user.must_change_password = True
        user: User = super().save(commit)
        return user


@admin.register(User)
class UserAdmin(DjangoUserAdmin, WaysIn):  # type: ignore[type-arg]
    """People who sign in. Who is no administrator sees and manages Standard users alone (SPEC S28)."""

    form = UserForm
    add_form = UserCreationForm
    add_form_template = "accounts/add_user.html"
    change_password_form = TemporaryPasswordForm
    change_user_password_template = "accounts/reset_password.html"
    list_display = ["username", "role", "email", "last_sign_in", "state"]
    list_filter = ["role", "is_active"]
    search_fields = ["username", "email"]
    readonly_fields = ["must_change_password", "last_sign_in"]  # a reset asks for a new password
    fieldsets = [(None, {"fields": ["username", "role", "email", "is_active", "must_change_password", "last_sign_in"]})]
    add_fieldsets = [(None, {"fields": ["username", "role", "email", "password1", "password2"]})]
    actions = None
    actions_detail = ["reset_password", "api_token", *WaysIn.actions_detail]

    @display(description=gettext_lazy("last sign-in"), ordering="last_login")  # type: ignore[untyped-decorator]
    def last_sign_in(self, user: User) -> Any:
        """Say when they last signed in."""
        return user.last_login or _("never")

    @display(  # type: ignore[untyped-decorator]
        description=gettext_lazy("state"), label={"active": "success", "temporary": "warning", "deactivated": "danger"}
    )
    def state(self, user: User) -> tuple[str, str]:
        """Say whether they can sign in."""
        if not user.is_active:
            return "deactivated", _("Deactivated")
        return ("temporary", _("Temporary password")) if user.must_change_password else ("active", _("Active"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """Show to others than administrators whom they manage."""
        users: QuerySet[User] = super().get_queryset(request)
        return users if self._is_administrator(request) else users.filter(role=Role.STANDARD)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:  # noqa: ARG002
        """Filter by what the list offers alone: the key of a session or the hash of a token could be guessed by it."""
        return lookup.partition("__")[0] in self.list_filter

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Let administrators alone choose a profile."""
        sets = super().get_fieldsets(request, obj)
        if self._is_administrator(request):
            return sets
        (title, rest), *others = sets
        return [(title, {**rest, "fields": [name for name in rest["fields"] if name != "role"]}), *others]

    def get_form(self, request: HttpRequest, obj: User | None = None, change: bool = False, **kwargs: Any) -> Any:
        """Tell the form who asks."""
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        form.asked_by = request.user
        return form

    def formfield_for_choice_field(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Say beside each profile what it may do."""
        if db_field.name != "role":
            return super().formfield_for_choice_field(db_field, request, **kwargs)
        choices = [(role.value, labelled(role.label, DUTIES[role])) for role in Role]
        return forms.ChoiceField(
            choices=choices, widget=RoleWidget(), label=capfirst(db_field.verbose_name), initial=Role.STANDARD
        )

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:  # noqa: ARG002
        """Save with the rights of the role; the password given at creation is temporary (SPEC S29)."""
        obj.must_change_password = obj.must_change_password or not change
        apply_role(obj)
        save_with_role(obj)

    def has_view_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Show whom one manages."""
        return self._manages(request, obj) and bool(super().has_view_permission(request, obj))

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Let change whom one manages."""
        return self._manages(request, obj) and bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Keep the last administrator, and who asks."""
        is_kept = obj is not None and (obj == request.user or is_last_administrator(obj))
        return not is_kept and self._manages(request, obj) and bool(super().has_delete_permission(request, obj))

    @transaction.atomic
    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Let two administrators who delete each other take turns."""
        if request.method == "POST":
            hold_administrators()
        response: HttpResponse = super().delete_view(request, object_id, extra_context)
        return response

    def _is_administrator(self, request: HttpRequest) -> bool:
        return has_role(request.user, Role.ADMINISTRATOR)

    def _manages(self, request: HttpRequest, user: User | None) -> bool:
        return user is None or user.role == Role.STANDARD or self._is_administrator(request)

    # --- passwords and tokens

    @action(description=gettext_lazy("Reset the password"), url_path="reset-password", permissions=["reset"])  # type: ignore[untyped-decorator]
    def reset_password(self, request: HttpRequest, object_id: str) -> HttpResponse:  # noqa: ARG002
        """Go to the page that gives a temporary password."""
        return redirect("admin:auth_user_password_change", object_id)

    def has_reset_permission(self, request: HttpRequest, object_id: Any = None) -> bool:  # noqa: ARG002
        """Who manages users may reset their passwords; the page itself looks whose."""
        return self.has_change_permission(request)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        """Give a user a temporary password; one's own is changed where it stays."""
        user = self.get_object(request, unquote(id))
        if user is not None and user.pk == request.user.pk:
            return redirect("change-password")
        response: HttpResponse = super().user_change_password(request, id, form_url)
        return response

    def has_token_permission(self, request: HttpRequest, object_id: Any = None) -> bool:  # noqa: ARG002
        """Only administrators hand out tokens."""
        return self._is_administrator(request)

    @action(description=gettext_lazy("API token"), url_path="token", permissions=["token"])  # type: ignore[untyped-decorator]
    def api_token(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Make or end a user's token for the REST API; one that was made is shown in the answer only."""
        user = self.get_object(request, object_id)
        if user is None:
            raise Http404(f"there is no user {object_id!r}")
        token = ""
        if request.method == "POST":
            if "make" not in request.POST:
                end_token(user=user)
                return redirect(request.path)
            token = renew_token(username=user.username)
            user.refresh_from_db()
        title = _("API token of %(user)s") % {"user": user}
        return admin_page(request, "accounts/api_token.html", {"owner": user, "token": token}, title=title, within=self)


@admin.register(AccessSettings)
class AccessSettingsAdmin(SingletonModelAdmin, ModelAdmin):  # type: ignore[misc]
    """Who may see the dashboard."""

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponseRedirect:  # noqa: ARG002 (Django's interface)
        """Stay on the page: there is no list to go back to."""
        self.message_user(request, _("Saved."), messages.SUCCESS)
        return redirect(request.path)
