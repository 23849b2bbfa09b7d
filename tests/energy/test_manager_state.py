"""How the load manager itself is, and what is said to be wrong."""

from datetime import timedelta

import pytest
from django.db.models import JSONField, Value
from django.utils import timezone

from energy.dashboard import compute_overview
from energy.manager_state import Cause, Level
from energy.models import Installation, Meter
from stations.models import Station
from tests.energy.overview_rows import NOW, add_connector, add_reading

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _collected_static_files(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path


@pytest.fixture(autouse=True)
def _installation(db):  # noqa: ARG001 (gives the database)
    Meter.objects.create(model="eastron_sdm630", url="tcp://192.0.2.1:502")
    Installation.objects.create(fuse_a=63)


def state_at(now=NOW):
    state = compute_overview(now).state
    return state.level, state.cause


def test_an_installation_without_a_fuse_is_not_configured():
    Installation.objects.update(fuse_a=None)
    assert state_at() == (Level.NOT_OPERATIONAL, Cause.NOT_CONFIGURED)


def test_an_installation_without_stations_is_not_operational():
    assert state_at() == (Level.NOT_OPERATIONAL, Cause.NO_STATION)


def test_a_pending_station_does_not_make_the_installation_operational():
    Station.objects.create(identity="CP1")
    assert state_at() == (Level.NOT_OPERATIONAL, Cause.NO_STATION)


def test_a_loop_that_never_ran_is_degraded():
    add_connector()
    assert state_at() == (Level.DEGRADED, Cause.LOOP_NEVER_RAN)


def test_a_turn_a_moment_ago_is_operational():
    add_connector()
    add_reading()
    assert state_at(NOW + timedelta(seconds=6)) == (Level.OPERATIONAL, None)


def test_a_loop_that_stopped_is_degraded_since_its_last_turn():
    add_connector()
    add_reading()
    overview = compute_overview(NOW + timedelta(seconds=7))
    with timezone.override(overview.time_zone):
        assert overview.state.reason == "the control loop has not run since 12:04"


def test_a_silent_meter_is_named_with_its_hour():
    add_connector()
    add_reading(NOW + timedelta(minutes=1), grid=None)
    Meter.objects.update(failing_since=NOW)
    overview = compute_overview(NOW + timedelta(minutes=1))
    with timezone.override(overview.time_zone):
        assert f"{overview.state.word} — {overview.state.reason}" == "Degraded — meter silent since 12:04"


def test_one_missed_answer_of_the_meter_is_no_degradation():
    add_connector()
    add_reading()
    Meter.objects.update(failing_since=NOW - timedelta(seconds=1))
    assert state_at() == (Level.OPERATIONAL, None)


def test_how_long_a_meter_may_miss_is_the_installations_own_setting():
    Installation.objects.update(timing={"no_increase_s": 8})
    add_connector()
    add_reading()
    Meter.objects.update(failing_since=NOW - timedelta(seconds=7))
    assert state_at() == (Level.OPERATIONAL, None)
    Meter.objects.update(failing_since=NOW - timedelta(seconds=8))
    assert state_at() == (Level.DEGRADED, Cause.METER_SILENT)


@pytest.mark.parametrize("broken", [{"beat_s": "soon"}, {"beat_s": 10**400}, {"moon_s": 1}, [], None, {"beat_s": None}])
def test_broken_times_leave_the_page_with_the_defaults(client, broken):
    Installation.objects.update(timing=Value(broken, JSONField()))
    add_connector()
    add_reading()
    assert state_at(NOW + timedelta(seconds=6)) == (Level.OPERATIONAL, None)
    assert client.get("/").status_code == 200


def test_a_dynamic_installation_needs_a_meter():
    add_connector()
    add_reading(grid=None)
    Meter.objects.update(url="")
    assert state_at() == (Level.DEGRADED, Cause.NO_METER)


def test_a_static_installation_needs_none():
    Installation.objects.update(mode="static", static_limit_a=32, fuse_a=None)
    Meter.objects.update(url="")
    add_connector()
    add_reading(grid=None)
    assert state_at() == (Level.OPERATIONAL, None)
    assert compute_overview(NOW).maximum_a == 32


def test_a_loop_in_fail_safe_is_degraded():
    add_connector()
    add_reading(state="fail_safe")
    assert state_at() == (Level.DEGRADED, Cause.FAIL_SAFE)


@pytest.mark.parametrize(("reads_a", "cause"), [(151.0, Cause.FAIL_SAFE), (152.0, Cause.METER_TOO_HIGH)])
def test_a_reading_beyond_reason_names_what_may_be_entered_wrong(client, reads_a, cause):
    add_connector()
    add_reading(timezone.now(), grid=(10.0, -reads_a, 10.0), state="fail_safe")
    assert state_at(timezone.now()) == (Level.DEGRADED, cause)  # 3 x 80 % of 63 A are 151.2 A
    told = "check the fuse and the primary of the current transformers" in client.get("/").content.decode()
    assert told == (cause is Cause.METER_TOO_HIGH)
