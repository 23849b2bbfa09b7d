"""Who may enter."""

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext_lazy as _
from solo.models import SingletonModel


class Role(models.TextChoices):
    """What a user may do (SPEC S28)."""

    STANDARD = "standard", _("Standard")
    ADVANCED = "advanced", _("Advanced")
    ADMINISTRATOR = "administrator", _("Administrator")


class User(AbstractUser):
    """A person who signs in; the role says what they may do."""

    role = models.CharField(_("profile"), max_length=20, choices=Role, default=Role.STANDARD)
    language = models.CharField(_("language"), max_length=2, choices=settings.LANGUAGES, blank=True)
    must_change_password = models.BooleanField(_("must change the password at the next sign-in"), default=False)
    api_token_hash = models.CharField(max_length=64, null=True, blank=True, unique=True, editable=False)

    class Meta(AbstractUser.Meta):
        constraints = [
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="user_role_known"),
            models.CheckConstraint(
                condition=models.Q(is_superuser=False) | models.Q(role=Role.ADMINISTRATOR),
                name="user_superuser_is_administrator",
            ),
        ]


class DashboardAccess(models.TextChoices):
    """Who may see the dashboard (SPEC S5)."""

    PUBLIC = "public", _("Public: anyone on the same network")
    RESTRICTED = "restricted", _("Restricted: users of the load manager only")


class AccessSettings(SingletonModel):
    """How the pages are entered: one row."""

    dashboard_access = models.CharField(
        _("dashboard access"), max_length=10, choices=DashboardAccess, default=DashboardAccess.PUBLIC
    )
    setup_done_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = verbose_name_plural = _("access settings")
        constraints = [
            models.CheckConstraint(condition=models.Q(dashboard_access__in=DashboardAccess.values), name="access_known")
        ]
