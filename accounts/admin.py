"""Users in the admin."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from solo.admin import SingletonModelAdmin
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from accounts.models import AccessSettings, Role, User
from accounts.services import apply_role, is_last_administrator
from accounts.ways_in import WaysIn

for model in (Group, TOTPDevice, StaticDevice):  # theirs would show the keys
    admin.site.unregister(model)


class UserForm(UserChangeForm):  # type: ignore[misc]
    """A user's settings; somebody must go on administering."""

    def clean(self) -> dict[str, Any]:
        """Refuse to lose the last administrator."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        remains = cleaned.get("role") == Role.ADMINISTRATOR and cleaned.get("is_active")
        if not remains and is_last_administrator(self.instance):
            self.add_error("role", _("This is the last active administrator: make another one first."))
        return cleaned


@admin.register(User)
class UserAdmin(DjangoUserAdmin, WaysIn):  # type: ignore[type-arg]
    """People who sign in."""

    form = UserForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["username", "role", "email", "is_active", "last_login"]
    list_filter = ["role", "is_active"]
    fieldsets = [
        (None, {"fields": ["username", "password", "role", "email", "is_active", "must_change_password"]}),
    ]
    add_fieldsets = [(None, {"fields": ["username", "role", "email", "password1", "password2"]})]
    actions = None

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Save with the rights of the role; the password given at creation is temporary (SPEC S29)."""
        apply_role(obj)
        obj.must_change_password = obj.must_change_password or not change
        super().save_model(request, obj, form, change)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Keep the last administrator."""
        is_kept = obj is not None and is_last_administrator(obj)
        return not is_kept and super().has_delete_permission(request, obj)


@admin.register(AccessSettings)
class AccessSettingsAdmin(SingletonModelAdmin, ModelAdmin):  # type: ignore[misc]
    """Who may see the dashboard."""
