"""What happened, in the admin: to be read, not changed."""

from typing import Any

from django.http import HttpRequest
from unfold.admin import ModelAdmin


class ReadOnlyAdmin(ModelAdmin):  # type: ignore[misc]
    """A page of rows that come to be by what is done and stay as they were."""

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 (Django's interface)
        """Nothing is added by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Nothing is changed by hand."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Nothing is lost by hand."""
        return False
