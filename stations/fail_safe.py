"""Writes on fail-safe tests; `ocpp16/fail_safe.py` carries one out where the socket is."""

import logging
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from accounts.models import User
from stations.errors import UnfitForTest
from stations.models import Connector, FailSafeTest, Station, Transaction
from stations.ocpp16.falling_back import Finding, least_draw
from stations.ocpp16.sockets import publish
from stations.services import forget_limits
from stations.signals import testing

logger = logging.getLogger(__name__)

LONGEST = timedelta(minutes=10)


def obstacle_to_test(connector: Connector) -> str:
    """Say in a sentence why a connector cannot be tested now; empty: it can."""
    station, drawn = connector.station, connector.current_a
    standing_a = station.standing_fail_safe_a
    if not station.is_connected:
        return _("The station is not connected.")
    if standing_a is None:
        return _("The station holds no fail-safe current yet: wait until it has accepted one.")
    if station.fail_safe_tests.filter(ended_at=None).exists():
        return _("A test of this station is running.")
    for _listener, obstacle in testing.send(sender=None, station=station):
        if obstacle:
            return str(obstacle)
    is_charging = Transaction.objects.filter(connector=connector, stopped_at=None, is_authorised=True).exists()
    if not is_charging or connector.accepted_limit_a is None:
        return _("No car charges here: plug one in and let it charge.")
    if drawn is None:
        return _("The station does not report what is drawn, so a fall could not be seen.")
    if max(drawn) < least_draw(standing_a):
        return _(
            "The car must draw at least %(least)s A for a fall to %(standing)s A to be seen; it draws %(now)s A."
        ) % {
            "least": number_format(least_draw(standing_a), 1),
            "standing": number_format(standing_a, 1),
            "now": number_format(max(drawn), 1),
        }
    return ""


@transaction.atomic
def begin_fail_safe_test(*, connector_id: int, user: User | None) -> FailSafeTest:
    """Let a connector's limit run out and watch what it does then. Raises UnfitForTest with what to do first."""
    connector = Connector.objects.select_related("station").get(pk=connector_id)
    obstacle = obstacle_to_test(connector)
    drawn, standing_a, limit_a = connector.current_a, connector.station.standing_fail_safe_a, connector.accepted_limit_a
    if obstacle or drawn is None or standing_a is None or limit_a is None:
        raise UnfitForTest(obstacle)
    try:
        with transaction.atomic():
            begun = FailSafeTest.objects.create(
                station=connector.station,
                connector=connector,
                requested_by=user,
                requester=user.username if user else "",
                firmware_version=connector.station.firmware_version,
                limit_a=limit_a,
                standing_a=standing_a,
                drawn_before_a=max(drawn),
            )
    except IntegrityError:
        raise UnfitForTest(_("A test of this station is running.")) from None
    running = Transaction.objects.get(connector=connector, stopped_at=None)
    message = {
        "type": "stations.fail_safe_test",
        "station_id": connector.station_id,
        "subject": [begun.pk, connector.pk, connector.number, running.pk, limit_a, standing_a],
    }
    transaction.on_commit(lambda: _hand_over(begun, message))
    return begun


def _hand_over(begun: FailSafeTest, message: dict[str, Any]) -> None:
    """Give a test to the process that holds the socket; without a broker it ends at once."""
    try:
        publish(message)
    except Exception:
        logger.exception("The channel layer is away; fail-safe test %s was not begun", begun.pk)
        end_fail_safe_test(test_id=begun.pk, finding=Finding.ENDED)


def stop_fail_safe_test(*, test_id: int) -> None:
    """End a running test by hand; the car gets its limit again."""
    running = FailSafeTest.objects.filter(pk=test_id, ended_at=None).first()
    if running is not None and end_fail_safe_test(test_id=test_id, finding=Finding.STOPPED):
        message = {"type": "stations.fail_safe_stop", "station_id": running.station_id}
        transaction.on_commit(lambda: publish(message), robust=True)


@transaction.atomic
def end_fail_safe_test(
    *, test_id: int, finding: Finding, drawn_after_a: float | None = None, left_unlimited: bool = False
) -> bool:
    """Keep what a test found, once; False if it had ended already."""
    ended = FailSafeTest.objects.filter(pk=test_id, ended_at=None).update(
        finding=finding, drawn_after_a=drawn_after_a, left_unlimited=left_unlimited, ended_at=timezone.now()
    )
    return bool(ended)


def end_lost_tests() -> None:
    """End the tests that no socket can be carrying out any more."""
    lost = FailSafeTest.objects.filter(ended_at=None, begun_at__lt=timezone.now() - LONGEST)
    lost.update(finding=Finding.ENDED, left_unlimited=True, ended_at=timezone.now())


def end_tests_of_last_life() -> None:
    """End, at the start of a web process and before its sockets are forgotten, the tests its last life had in hand."""
    stations = Station.objects.filter(socket_id__startswith=f"{settings.WEB_ID}/")
    FailSafeTest.objects.filter(station__in=stations, ended_at=None).update(
        finding=Finding.ENDED, left_unlimited=True, ended_at=timezone.now()
    )


@transaction.atomic
def catch_up_on_test(*, station_id: int) -> None:
    """Let a station that went away in the middle of a test be told its limits again."""
    if FailSafeTest.objects.filter(station_id=station_id, left_unlimited=True).update(left_unlimited=False):
        forget_limits(station_id=station_id)
