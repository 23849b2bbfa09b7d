"""The columns of a badge file and the badges behind them: what a row makes of its badge, what it is written as.

Nothing is saved here: that is `badges.importing`.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.db.models.functions import Upper
from import_export.fields import Field
from import_export.instance_loaders import BaseInstanceLoader
from import_export.resources import ModelResource
from import_export.results import RowResult
from import_export.widgets import Widget
from tablib import Dataset

from badges.csv_files import cells
from badges.csv_files.faults import Fault
from badges.csv_files.table import COLUMNS, COMMENT, EMAIL, EXPIRY, NUMBER, TYPE, Row
from badges.import_models import Outcome
from badges.models import Badge, BadgeType

FIELDS = {NUMBER: "id_tag", TYPE: "type", COMMENT: "comment", EXPIRY: "expires_on", EMAIL: "email"}
EXAMPLE = ["a1b2c3", BadgeType.STANDARD.upper(), "exemple", "30.01.2023", "exemple@llm.fr"]


class _Cell(Widget):  # type: ignore[misc]
    """A cell, by the functions that read and write it."""

    def __init__(self, read: Callable[[str], Any], write: Callable[[Any], str] = str) -> None:
        super().__init__()
        self.read, self.write = read, write

    def clean(self, value: Any, row: Any = None, **_options: Any) -> Any:  # noqa: ARG002 (the library's interface)
        """Read it. Raises ValidationError."""
        return self.read(value)

    def render(self, value: Any, obj: Any = None, **_options: Any) -> str:  # noqa: ARG002
        """Write it."""
        return self.write(value)


class _NumberField(Field):  # type: ignore[misc]
    """A badge that is known keeps the spelling of its number."""

    def save(self, instance: Any, row: Any, is_m2m: bool = False, **options: Any) -> None:
        """Give a new badge its number."""
        if instance.pk is None:
            super().save(instance, row, is_m2m, **options)


class _ByNumber(BaseInstanceLoader):  # type: ignore[misc]
    """The badges that some rows name, found at once and compared without case."""

    def __init__(self, resource: Any, dataset: Dataset) -> None:
        super().__init__(resource, dataset)
        self._found = badges_by_number(dataset[NUMBER])

    def get_instance(self, row: Any) -> Badge | None:
        """Return a copy, which may be changed; None where the number is new."""
        found = self._found.get(row[NUMBER].upper())
        row["before"] = found
        return copy.copy(found)


def badges_by_number(numbers: Sequence[str], *, are_locked: bool = False) -> dict[str, Badge]:
    """Find badges by their numbers: number in capitals → badge. `are_locked`: nobody else changes them meanwhile."""
    badges = Badge.objects.select_for_update(no_key=True) if are_locked else Badge.objects.all()
    found = badges.alias(number=Upper("id_tag")).filter(number__in=[number.upper() for number in numbers])
    return {badge.id_tag.upper(): badge for badge in found}


class BadgeResource(ModelResource):  # type: ignore[misc]
    """A badge as a row of a file."""

    id_tag = _NumberField("id_tag", NUMBER, _Cell(cells.read_number))
    type = Field("type", TYPE, _Cell(cells.read_type, str.upper), saves_null_values=False)
    comment = Field("comment", COMMENT, _Cell(cells.read_comment))
    expires_on = Field("expires_on", EXPIRY, _Cell(cells.read_day, cells.write_day))
    email = Field("email", EMAIL, _Cell(cells.read_email))

    class Meta:
        model = Badge
        fields = export_order = tuple(FIELDS.values())
        import_id_fields = ("id_tag",)
        instance_loader_class = _ByNumber
        use_transactions = False
        skip_diff = True
        report_skipped = True
        store_instance = True
        store_row_values = True

    def __init__(self, columns: Sequence[str] = COLUMNS, *, is_month_first: bool = False) -> None:
        super().__init__()
        self.fields["expires_on"].widget.read = partial(cells.read_day, is_file_month_first=is_month_first)
        self._in_file = [field for field in super().get_import_fields() if field.column_name in columns]

    def get_import_fields(self) -> list[Any]:
        """Return the columns that this file has: the others stay as they are."""
        return self._in_file

    def import_instance(self, instance: Badge, row: Any, **options: Any) -> None:
        """Give a badge what its row says. Raises ValidationError with the faults of all its cells."""
        faults: list[ValidationError] = []
        for field in self.get_import_fields():
            try:
                self.import_field(field, instance, row, **options)
            except ValidationError as fault:
                faults.append(fault)
        if faults:
            raise ValidationError(faults)

    def skip_row(self, instance: Badge, original: Any, row: Any, import_validation_errors: Any = None) -> bool:  # noqa: ARG002
        """Say whether a row changes nothing."""
        before = row["before"]
        return before is not None and not import_validation_errors and not difference(before, instance)

    def save_instance(self, instance: Badge, is_create: bool, row: Any, **options: Any) -> None:
        """Save nothing: rows are judged here."""


def difference(before: Badge, after: Badge) -> list[str]:
    """Name the fields that differ; space round a text is no difference, since a file does not keep it."""
    return [name for name in FIELDS.values() if _bare(getattr(before, name)) != _bare(getattr(after, name))]


def _bare(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a row: `before` and `after` by field as they are kept in JSON."""

    line: int
    outcome: Outcome
    after: dict[str, Any]
    before: dict[str, Any]
    faults: list[Fault]


def judge(rows: Sequence[Row], columns: Sequence[str], *, is_month_first: bool) -> Iterator[Judged]:
    """Say of each row what it would make of its badge."""
    resource = BadgeResource(columns, is_month_first=is_month_first)
    dataset = Dataset(*([row.cells[name] for name in columns] for row in rows), headers=list(columns))
    result = resource.import_data(dataset)
    for error in result.base_errors + [error for row in result.rows for error in row.errors]:
        raise error.error
    for row, judged in zip(rows, result.rows, strict=True):
        yield _judged(row, judged)


def _judged(row: Row, result: RowResult) -> Judged:
    if result.is_invalid():
        listed = [fault for faults in result.validation_error.error_dict.values() for fault in faults]
        faults = [(str(fault.message), dict(fault.params or {})) for fault in listed]
        return Judged(row.line, Outcome.WRONG, row.cells, {}, faults)
    before, after = result.row_values["before"], result.instance
    if before is None:
        return Judged(row.line, Outcome.NEW, kept(after, FIELDS.values()), {}, [])
    changes = difference(before, after)
    outcome = Outcome.CHANGED if changes else Outcome.UNCHANGED
    return Judged(row.line, outcome, kept(after, FIELDS.values()), kept(before, changes), [])


def kept(badge: Badge, names: Any) -> dict[str, Any]:
    """Return fields of a badge as JSON keeps them."""
    values = {name: getattr(badge, name) for name in names}
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in values.items()}


def exported(badges: QuerySet[Badge]) -> Iterator[list[str]]:
    """Give the heading, then a row for each badge."""
    dataset = BadgeResource().export(badges)
    yield list(COLUMNS)
    yield from dataset
