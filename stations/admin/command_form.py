"""The form of one operation, for one station or several: the schema's fields, with what is known filled in."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

from django import forms
from django.db.models import Max
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from badges.models import Badge
from stations.admin.command_fields import JsonText, choice_field, fields_of, flattened, payload_of
from stations.admin.command_words import LABELS, help_of
from stations.commanding import check_command
from stations.errors import CommandUnfit
from stations.models import Command, CommandState, Connector, Preconfiguration, Station, Transaction
from stations.ocpp16.operations import OPERATIONS
from stations.ocpp16.schemas import schema_of

TAKE_0_FOR_ALL = frozenset(
    {"ChangeAvailability", "ClearChargingProfile", "GetCompositeSchedule", "ReserveNow", "SetChargingProfile"}
)
COUNTED = {
    "GetLog": "requestId",
    "ReserveNow": "reservationId",
    "SendLocalList": "listVersion",
    "SignedUpdateFirmware": "requestId",
}
Stations = Sequence[Station]
BADGES_OFFERED, RESERVED_FOR = 500, timedelta(hours=1)


class CommandForm(forms.Form):
    """What one operation takes, field by field."""

    def __init__(self, stations: Stations, action: str, *args: Any, **options: Any) -> None:
        self.action, self.schema = action, schema_of(action) or {}
        super().__init__(*args, **options)
        self.fields.update(fields_of(self.schema))
        self.suggestions: dict[str, list[str]] = {}
        self._offer_what_is_known(stations)
        for name, field in self.fields.items():
            self._name(name, field)

    def _offer_what_is_known(self, stations: Stations) -> None:
        """Choose among the stations' own connectors and transactions, and suggest badges and keys that are known."""
        for name in ("connectorId", "transactionId"):
            if name not in self.fields:
                continue
            choices = connectors_of(stations, self.action) if name == "connectorId" else transactions_of(stations)
            if choices:
                is_required = self.fields[name].required
                self.fields[name] = choice_field(choices, is_required=is_required, coerce=int)
        if "idTag" in self.fields:
            badges = Badge.objects.filter(is_active=True).order_by("id_tag")
            self.suggestions["idTag"] = list(badges.values_list("id_tag", flat=True)[:BADGES_OFFERED])
        if self.action == "ChangeConfiguration":
            self.suggestions["key"] = known_keys(stations)
        for name in self.suggestions:
            self.fields[name].widget.attrs.update({"list": f"known_{name}", "autocomplete": "off"})

    def _name(self, name: str, field: forms.Field) -> None:
        """Say in a person's words what a field is; an example stands where a text goes."""
        field.label = LABELS[name.rsplit(".", 1)[-1]]
        field.help_text = help_of(self.action, name)
        example = flattened(self.schema, OPERATIONS[self.action]).get(name)
        if is_text(field) and example:
            field.widget.attrs["placeholder"] = example

    def clean(self) -> dict[str, Any]:
        """Put the payload together; what the schema does not allow is said at the field it names."""
        cleaned: dict[str, Any] = super().clean() or {}
        if self.errors:
            return cleaned
        payload = payload_of(self.schema, cleaned)
        try:
            check_command(self.action, payload)
        except CommandUnfit as error:
            self.add_error(field_at(error.path, self.fields), str(error))
        return {"payload": payload}


def field_at(path: Sequence[str | int], names: Collection[str]) -> str | None:
    """Find the field that holds a place of the payload; None where no field is to blame."""
    candidates = (".".join(map(str, path[:length])) for length in (2, 1))
    return next((name for name in candidates if name in names), None)


def is_text(field: forms.Field) -> bool:
    """Say whether a field takes words of a person's own, for which an example is no value to start from."""
    return isinstance(field, forms.CharField) and not isinstance(field, JsonText)


class PayloadForm(forms.Form):
    """What one operation takes, as JSON: for what its form cannot say."""

    payload = JsonText(required=False)

    def __init__(self, action: str, *args: Any, **options: Any) -> None:
        self.action = action
        super().__init__(*args, **options)
        self.fields["payload"].label = _("Payload")
        self.fields["payload"].help_text = _("As JSON, in the words of OCPP.")

    def clean(self) -> dict[str, Any]:
        """Refuse what could not be sent, with the schema's complaint."""
        cleaned: dict[str, Any] = super().clean() or {}
        if "payload" not in cleaned:
            return cleaned
        payload = {} if cleaned["payload"] is None else cleaned["payload"]
        try:
            check_command(self.action, payload)
        except CommandUnfit as error:
            self.add_error("payload", str(error))
        return {"payload": payload}


def connectors_of(stations: Stations, action: str) -> list[tuple[Any, Any]]:
    """List the connectors an operation may name."""
    connectors = Connector.objects.filter(station__in=stations).order_by("number")
    numbers = connectors.values_list("number", flat=True).distinct()
    whole = [(0, _("The whole station"))] if action in TAKE_0_FOR_ALL else []
    return [*whole, *((number, str(number)) for number in numbers)]


def transactions_of(stations: Stations) -> list[tuple[Any, Any]]:
    """List the transactions that run, with who charges since when."""
    running = Transaction.objects.filter(connector__station__in=stations, stopped_at=None).select_related(
        "connector__station"
    )
    text = _("%(number)s: connector %(connector)s, badge %(badge)s, since %(since)s")
    return [
        (
            one.pk,
            text
            % {
                "number": one.pk,
                "connector": one.charged_at.connector,
                "badge": one.id_tag,
                "since": date_format(timezone.localtime(one.started_at), "SHORT_DATETIME_FORMAT"),
            },
        )
        for one in running.order_by("connector__number")
    ]


def known_keys(stations: Stations) -> list[str]:
    """List the configuration keys the stations were heard to have, when set up and when last asked."""
    keys = set()
    for learned in Preconfiguration.objects.filter(station__in=stations):
        keys.update(learned.reported)
    asked = Command.objects.filter(station__in=stations, action="GetConfiguration", state=CommandState.ACCEPTED)
    newest = asked.order_by().values("station").annotate(newest=Max("pk")).values("newest")
    for heard in Command.objects.filter(pk__in=newest):
        keys.update(str(entry["key"]) for entry in configuration_of(heard))
    return sorted(keys)


def configuration_of(command: Command) -> list[dict[str, Any]]:
    """Return the keys a station named in its answer to GetConfiguration."""
    answer = command.answer if isinstance(command.answer, dict) else {}
    return [entry for entry in answer.get("configurationKey") or [] if isinstance(entry, dict) and "key" in entry]


def initial_of(stations: Stations, action: str) -> dict[str, Any]:
    """Start from the example of an operation, with what is known of the stations; texts are left to the person."""
    schema = schema_of(action) or {}
    fields, soon = fields_of(schema), timezone.now().replace(second=0, microsecond=0)
    initial = {
        name: value
        for name, value in flattened(schema, OPERATIONS[action]).items()
        if not is_text(fields[name]) and name != "transactionId"
    }
    for name, field in fields.items():
        if isinstance(field, forms.DateTimeField) and field.required:
            initial[name] = soon + RESERVED_FOR if name == "expiryDate" else soon
    connector = Connector.objects.filter(station__in=stations).order_by("number").first()
    if "connectorId" in initial and connector is not None:
        initial["connectorId"] = connector.number
    transaction = Transaction.objects.filter(connector__station__in=stations, stopped_at=None).first()
    if "transactionId" in fields and transaction is not None:
        initial["transactionId"] = transaction.pk
    if action in COUNTED:
        initial[COUNTED[action]] = highest_asked(stations, action, COUNTED[action]) + 1
    reserved = highest_asked(stations, "ReserveNow", "reservationId")
    if action == "CancelReservation" and reserved:
        initial["reservationId"] = reserved
    return initial


def example_of(stations: Stations, action: str) -> dict[str, Any]:
    """Write the whole example of an operation as a payload, with what is known of the stations."""
    schema = schema_of(action) or {}
    return payload_of(schema, {**flattened(schema, OPERATIONS[action]), **initial_of(stations, action)})


def highest_asked(stations: Stations, action: str, name: str) -> int:
    """Return the highest number that an operation named so far; 0 where there is none."""
    payloads = Command.objects.filter(station__in=stations, action=action).values_list("payload", flat=True)
    return max((payload[name] for payload in payloads if isinstance(payload.get(name), int)), default=0)
