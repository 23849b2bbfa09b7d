"""What an operator has set and the load manager keeps to: limits, copies of configuration keys, its list of badges."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from stations.cpo.badges import forget_tags
from stations.cpo.ids import own_number
from stations.cpo.limits import Limit, UnfitProfile, composite, read_limit
from stations.cpo.policy import HIGHEST_LEVEL, KEPT_AS_COPY, LARGEST_NUMBER, changed_list
from stations.cpo.wording import wire_time
from stations.models import Connector, CpoLink, CpoProfile, CpoTransaction, Transaction
from stations.ocpp16.profiles import NOMINAL_V, Purpose
from stations.services import ask_to_decide

MOST_PROFILES = 20
WAITS_FOR_CAR = timedelta(minutes=10)  # a station waits less for the plug (ConnectionTimeOut, §9.1.6)
MOST_READ = 5_000
Payload = dict[str, Any]

_read: dict[tuple[Any, ...], Limit] = {}
"""What was read of profiles; one that is replaced is another row."""


@transaction.atomic
def keep_profile(*, link_id: int, connector: int, profile: Payload) -> bool:
    """Keep a charging profile; False where it is not one that can be kept to.

    It takes the place of one with its id, or of its purpose and level on that connector (§5.16).
    """
    link = CpoLink.objects.select_related("station").select_for_update(of=("self",)).get(pk=link_id)
    purpose = profile["chargingProfilePurpose"]
    running = None
    if purpose == Purpose.TRANSACTION:
        running = _running(link, connector, profile.get("transactionId"))
        if running is None:
            return False
    if (purpose == Purpose.STATION and connector != 0) or not _is_fit(link, connector, profile):
        return False
    same = Q(connector=connector, purpose=purpose, stack_level=profile["stackLevel"], id_tag="")
    if not _make_room(link, Q(profile_id=profile["chargingProfileId"]) | same):
        return False
    _create(link, connector, profile, running=running)
    ask_to_decide()
    return True


def _make_room(link: CpoLink, replaced: Q) -> bool:
    """Forget what a profile takes the place of, and what binds nothing any more; False, and all stays: it is full."""
    kept = CpoProfile.objects.filter(link=link)
    no_car_came = ~Q(id_tag="") & Q(installed_at__lt=timezone.now() - WAITS_FOR_CAR)
    kept.filter(no_car_came | Q(transaction__stopped_at__isnull=False)).delete()
    if kept.exclude(replaced).count() >= MOST_PROFILES:
        return False
    kept.filter(replaced).delete()
    return True


def _create(link: CpoLink, connector: int, profile: Payload, *, running: int | None = None, id_tag: str = "") -> None:
    CpoProfile.objects.create(
        link=link,
        connector=connector,
        profile_id=profile["chargingProfileId"],
        purpose=profile["chargingProfilePurpose"],
        stack_level=profile["stackLevel"],
        payload=profile,
        transaction_id=running,
        id_tag=id_tag,
        installed_at=timezone.now(),
    )


def _running(link: CpoLink, connector: int, cpo_id: Any) -> int | None:
    """Return the open transaction of a connector that an operator means; without a number the one that runs."""
    told = Transaction.objects.filter(cpo__link=link, stopped_at=None, connector__number=connector)
    if cpo_id is not None:
        told = told.filter(pk__in=[own_number(link.pk, cpo_id)])
    return told.values_list("pk", flat=True).first()


def _is_fit(link: CpoLink, connector: int, profile: Payload) -> bool:
    """Say whether a profile can be read and kept, and is for a connector that exists."""
    if not 0 <= profile["stackLevel"] <= HIGHEST_LEVEL or abs(profile["chargingProfileId"]) > LARGEST_NUMBER:
        return False
    try:
        read_limit(profile, connector=connector, installed_at=0.0, charging_since=None, phases=3)
    except UnfitProfile:
        return False
    return connector == 0 or Connector.objects.filter(station=link.station_id, number=connector).exists()


@transaction.atomic
def keep_profile_for_tag(*, link_id: int, connector: int, profile: Payload, id_tag: str) -> bool:
    """Keep the charging profile of a RemoteStartTransaction for the transaction that follows (§5.11).

    False where it is not one that can be kept to.
    """
    link = CpoLink.objects.select_related("station").select_for_update(of=("self",)).get(pk=link_id)
    if profile["chargingProfilePurpose"] != Purpose.TRANSACTION or not _is_fit(link, connector, profile):
        return False
    if not _make_room(link, Q(id_tag=id_tag.upper(), transaction=None)):
        return False
    _create(link, connector, profile, id_tag=id_tag.upper())
    return True


def drop_profiles_of_tag(*, link_id: int, id_tag: str) -> None:
    """Forget the charging profile of a transaction that does not begin."""
    CpoProfile.objects.filter(link=link_id, id_tag=id_tag.upper(), transaction=None).delete()


@transaction.atomic
def clear_profiles(*, link_id: int, asked: Payload) -> int:
    """Forget the profile with an id, or all that match; returns how many (§5.5)."""
    rows = CpoProfile.objects.filter(link=link_id)
    if "id" in asked:
        rows = rows.filter(profile_id=asked["id"])
    else:
        names = {"connectorId": "connector", "chargingProfilePurpose": "purpose", "stackLevel": "stack_level"}
        rows = rows.filter(**{column: asked[name] for name, column in names.items() if name in asked})
    count, _by_model = rows.delete()
    ask_to_decide()
    return count


def limits_of(rows: Iterable[CpoProfile], *, phases: int, charging_since: float | None) -> list[Limit]:
    """Read kept profiles as they bound a connector whose transaction began at `charging_since` (Unix s).

    The balancing asks each second for the same ones: what was read is remembered.
    """
    return [_limit_of(row, phases, charging_since) for row in rows]


def _limit_of(row: CpoProfile, phases: int, charging_since: float | None) -> Limit:
    key = (row.pk, row.installed_at, row.connector, phases, charging_since)
    limit = _read.get(key)
    if limit is None:
        limit = read_limit(
            row.payload,
            connector=row.connector,
            installed_at=row.installed_at.timestamp(),
            charging_since=charging_since,
            phases=phases,
        )
        if len(_read) >= MOST_READ:
            _read.clear()
        _read[key] = limit
    return limit


def composite_schedule(*, link_id: int, asked: Payload) -> Payload:
    """Answer a GetCompositeSchedule."""
    station = CpoLink.objects.select_related("station").get(pk=link_id).station
    number, now = asked["connectorId"], timezone.now()
    connectors = Connector.objects.filter(station=station)
    if asked["duration"] <= 0 or (number and not connectors.filter(number=number).exists()):
        return {"status": "Rejected"}
    running = CpoTransaction.objects.filter(
        link=link_id, transaction__stopped_at=None, transaction__connector__number=number
    ).select_related("transaction")
    current = running.first()
    since = current.transaction.started_at.timestamp() if current is not None else None
    rows = CpoProfile.objects.filter(link=link_id, id_tag="").filter(transaction=None)
    if current is not None:
        rows |= CpoProfile.objects.filter(link=link_id, transaction=current.transaction_id)
    phases = len(station.wiring)
    limits = [
        limit
        for limit in limits_of(rows, phases=phases, charging_since=since)
        if number or limit.purpose is Purpose.STATION
    ]
    periods, holds_s = composite(
        limits,
        connector=number,
        maximum_a=station.max_current_a * (connectors.count() if number == 0 else 1),
        begin_at=now.timestamp(),
        duration_s=asked["duration"],
    )
    unit = asked.get("chargingRateUnit", "A")
    per_amp = 1.0 if unit == "A" else NOMINAL_V * phases
    schedule = {
        "duration": round(holds_s),
        "startSchedule": wire_time(now),
        "chargingRateUnit": unit,
        "chargingSchedulePeriod": [
            {"startPeriod": round(from_s), "limit": int(amps * per_amp * 10) / 10} for from_s, amps in periods
        ],
    }
    return {
        "status": "Accepted",
        "connectorId": number,
        "scheduleStart": wire_time(now),
        "chargingSchedule": schedule,
    }


def copied_settings(*, link_id: int) -> dict[str, str]:
    """Return the configuration keys that the operator has set and the load manager answers for."""
    return dict(CpoLink.objects.values_list("settings", flat=True).get(pk=link_id))


@transaction.atomic
def change_setting(*, link_id: int, name: str, value: str) -> None:
    """Keep the value that an operator gives to a key."""
    link = CpoLink.objects.select_for_update(of=("self",)).get(pk=link_id)
    CpoLink.objects.filter(pk=link_id).update(settings={**link.settings, name: value})


def sample_interval_s(settings: dict[str, str]) -> timedelta | None:
    """Return how often an operator wants samples; None: not at all."""
    seconds = int(settings.get("MeterValueSampleInterval", KEPT_AS_COPY["MeterValueSampleInterval"]))
    return timedelta(seconds=seconds) if seconds else None


def forget_tags_of(*, link_id: int) -> None:
    """Forget what the operator of a link has said of badges."""
    forget_tags(server_id=CpoLink.objects.values_list("server_id", flat=True).get(pk=link_id))


def list_version(*, link_id: int) -> int:
    """Return the version of the operator's list of badges; 0: there is none."""
    return int(CpoLink.objects.values_list("list_version", flat=True).get(pk=link_id))


@transaction.atomic
def change_list(*, link_id: int, asked: Payload) -> str:
    """Keep what an operator sends as its list of badges; returns the UpdateStatus."""
    link = CpoLink.objects.select_for_update(of=("self",)).get(pk=link_id)
    status, tags, version = changed_list(link.known_tags, link.list_version, asked)
    CpoLink.objects.filter(pk=link_id).update(known_tags=tags, list_version=version)
    return status
