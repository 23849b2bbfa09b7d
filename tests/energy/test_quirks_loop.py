"""What the loop does about quirks of real stations: one test a quirk, from row to message."""

from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.utils import timezone

from energy import balancing
from energy.models import Allocation
from stations.models import Connector, Station, Transaction
from tests.energy.allocation.plant import Car, Plant
from tests.energy.test_balancing import car, limits, static

pytestmark = pytest.mark.django_db(transaction=True)

NECHARGE_A = (6, 8, 10, 13, 16)


def test_a_limit_below_six_amperes_is_sent_as_zero(sent):
    """IEC 61851 has no signal for less; some stations read it as 0, others as none at all."""
    car()
    static(5.9)
    balancing.balance()
    assert [entry[4] for entry in limits(sent)] == [0]
    assert Allocation.objects.get().limit_a == 0


def test_a_car_is_paused_by_a_limit_and_its_transaction_goes_on(sent):
    """Autel, Ocular, ZJ Beny start no more after a RemoteStop until the cable is pulled."""
    connector = car()
    static(5)
    balancing.balance()
    Connector.objects.update(status="SuspendedEVSE", accepted_limit_a=0)
    balancing.balance()
    assert Transaction.objects.get(connector=connector).stopped_at is None
    assert {message["type"] for message in sent} == {"stations.limits", "stations.standing"}


def test_after_a_restart_every_known_station_counts_at_what_it_may_still_draw(sent):
    """FoxESS and others are away for minutes: their cars charge on."""
    away = car("AWAY")
    Station.objects.filter(identity="AWAY").update(socket_id="")
    Connector.objects.filter(pk=away.pk).update(accepted_limit_a=16, measured_at=timezone.now() - timedelta(minutes=19))
    car("HERE")
    static(26)
    balancing.balance()
    assert [(entry[0], entry[4]) for entry in limits(sent)] == [(Station.objects.get(identity="HERE").pk, 10)]


def test_a_station_that_takes_no_limit_counts_at_its_maximum(sent):
    """Heidelberg: no SmartCharging; `stations` has set what it accepted to its maximum."""
    beyond = car("BEYOND", max_current_a=16)
    Connector.objects.filter(pk=beyond.pk).update(accepted_limit_a=16, current_l1_a=None, current_l2_a=None)
    Connector.objects.filter(pk=beyond.pk).update(current_l3_a=None, refusal="cannot be limited: no SmartCharging")
    car("OTHER")
    static(32)
    balancing.balance()
    other = Station.objects.get(identity="OTHER").pk
    assert [entry[4] for entry in limits(sent) if entry[0] == other] == [16]


@dataclass
class Stepping(Car):
    """A car at a station that has a few currents only and takes the next below."""

    def draw(self, now):
        """Return the A on each phase."""
        current = super().draw(now)[0]
        step = max((step for step in NECHARGE_A if step <= current + 0.05), default=0)
        return [float(step)] * len(self.wiring)


def test_necharge_rounds_down_and_what_it_leaves_goes_to_others():
    plant = Plant([Stepping("NEcharge", maximum=16), Car("other", maximum=32)], (31, 31, 31))
    plant.run(300)
    drawn = [plant.cars[index].draw(plant.now)[0] for index in (0, 1)]
    assert drawn[0] in NECHARGE_A
    assert max(plant.grid()) <= 31
    assert sum(drawn) >= 31 - 2.1, "all is used but the margin that shows whether it takes more"
