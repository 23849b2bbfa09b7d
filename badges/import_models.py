"""The one import of badges that is under way, or was last."""

from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from solo.models import SingletonModel


class ImportState(models.TextChoices):
    """How far an import is."""

    NEVER = "never", _("No file was imported yet.")
    CHECKING = "checking", _("The file is checked.")
    CHECKED = "checked", _("The file was checked. Nothing is changed yet.")
    WRITING = "writing", _("The badges are written.")
    DONE = "done", _("The import is finished.")
    REFUSED = "refused", _("The file was not imported. Nothing was changed.")
    STOPPED = "stopped", _("The import was stopped. Nothing was changed.")


class Outcome(models.TextChoices):
    """What a row of a file means for the badges."""

    NEW = "new", _("New")
    CHANGED = "changed", _("Changed")
    UNCHANGED = "unchanged", _("Unchanged")
    WRONG = "wrong", _("Wrong")


class BadgeImport(SingletonModel):
    """The import of a file: what it holds, how far it is, what came of it. One row.

    `run` numbers the imports: whoever writes for an older one is no longer wanted. `fault` is why the file is refused,
    as `csv_files.faults` describes. `user` and `address` are who asked for it and from where.
    """

    run = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=10, choices=ImportState, default=ImportState.NEVER)
    file_name = models.CharField(max_length=200, blank=True)
    encoding = models.CharField(max_length=20, blank=True)
    text = models.TextField(blank=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True)
    address = models.GenericIPAddressField(null=True)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    new = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    wrong = models.PositiveIntegerField(default=0)
    fault: Any = models.JSONField(default=list, blank=True)
    heard_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = verbose_name_plural = _("import of badges")
        constraints = [
            models.CheckConstraint(condition=models.Q(state__in=ImportState.values), name="badge_import_state")
        ]

    def __str__(self) -> str:
        return f"{self.file_name}: {self.get_state_display()}"


class ImportedRow(models.Model):
    """One row of the file, judged: `after` is what the badge is to become, `before` what of it changes.

    Of a wrong row, `after` is what stands in the file. `faults` and `hints` are as `csv_files.faults` describes them.
    """

    line = models.PositiveIntegerField(primary_key=True)
    outcome = models.CharField(max_length=10, choices=Outcome)
    after: Any = models.JSONField(default=dict)
    before: Any = models.JSONField(default=dict)
    faults: Any = models.JSONField(default=list)
    hints: Any = models.JSONField(default=list)

    class Meta:
        verbose_name = _("imported row")
        verbose_name_plural = _("imported rows")
        ordering = ["line"]
        indexes = [models.Index(fields=["outcome", "line"], name="imported_row_outcome")]
        constraints = [
            models.CheckConstraint(condition=models.Q(outcome__in=Outcome.values), name="imported_row_outcome_known")
        ]

    def __str__(self) -> str:
        return f"{self.line}: {self.get_outcome_display()}"
