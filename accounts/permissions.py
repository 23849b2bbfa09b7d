"""What each role may do in the admin; `ROLE_PERMISSIONS` in the settings says it."""

from typing import Any

from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import AnonymousUser

from accounts.models import User


class RoleBackend(ModelBackend):
    """Signs in by user name and password; permissions come from the role. Administrators need none: they may all."""

    def get_user_permissions(self, user_obj: User | AnonymousUser, obj: Any = None) -> set[str]:
        """Return what the role of an active user may do everywhere; of single rows nothing is known here."""
        if not isinstance(user_obj, User) or not user_obj.is_active or obj is not None:
            return set()
        return set(settings.ROLE_PERMISSIONS.get(user_obj.role, ()))

    def get_group_permissions(self, user_obj: User | AnonymousUser, obj: Any = None) -> set[str]:  # noqa: ARG002
        """Return none: there are no groups beside the roles."""
        return set()
