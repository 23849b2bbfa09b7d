"""Users in the admin."""

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from solo.admin import SingletonModelAdmin
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from accounts.models import AccessSettings, User

admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):  # type: ignore[misc, type-arg]
    """People who sign in."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["username", "role", "email", "is_active", "last_login"]
    list_filter = ["role", "is_active"]
    fieldsets = [
        (None, {"fields": ["username", "password", "role", "email", "is_active", "must_change_password"]}),
    ]
    add_fieldsets = [(None, {"fields": ["username", "role", "email", "password1", "password2"]})]


@admin.register(AccessSettings)
class AccessSettingsAdmin(SingletonModelAdmin, ModelAdmin):  # type: ignore[misc]
    """Who may see the dashboard."""
