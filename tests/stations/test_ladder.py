"""Which form of charging profile is tried when: one test a quirk of a real station."""

from stations.ocpp16.configuration import Capabilities
from stations.ocpp16.ladder import Climb, Role, has_room, ladder, next_rung, restore, takes_place_of
from stations.ocpp16.profiles import Purpose, Rung

ALL = Capabilities(top_stack_level=3)


def climb(can, takes, role=Role.LIVE):
    """Climb until the station `takes` a form; returns those tried."""
    tried = []
    while (rung := next_rung(can, tried, role)) is not None:
        tried.append(rung)
        if takes(rung):
            return tried
    return [*tried, None]


def test_a_station_that_takes_everything_gets_a_transaction_profile_in_amperes_on_level_0():
    assert next_rung(ALL, ()) == Rung(Purpose.TRANSACTION, "A", "Absolute", 0)


def test_the_order_is_purpose_then_unit_then_kind_then_level():
    rungs = ladder(ALL, Role.LIVE)
    assert rungs[:4] == [
        Rung(Purpose.TRANSACTION, "A", kind, level) for kind in ("Absolute", "Relative") for level in (0, 3)
    ]
    assert [rung.purpose for rung in rungs[::8][:3]] == [Purpose.TRANSACTION, Purpose.DEFAULT, Purpose.DEFAULT]
    assert rungs[4].unit == "W"
    assert rungs[-1] == Rung(Purpose.STATION, "W", "Relative", 3)
    assert len(rungs) == len(set(rungs))


def test_a_station_that_takes_only_defaults_ends_there():
    """EVBox, and the one form that most stations take."""
    assert climb(ALL, lambda rung: rung.purpose is Purpose.DEFAULT)[-1] == Rung(Purpose.DEFAULT, "A", "Absolute", 1)


def test_a_station_that_takes_only_its_maximum_ends_there():
    """Schneider with its own load balancer on."""
    assert climb(ALL, lambda rung: rung.purpose is Purpose.STATION)[-1] == Rung(Purpose.STATION, "A", "Absolute", 0)


def test_one_maximum_does_not_stand_for_two_connectors():
    twin = Capabilities(connectors=2, top_stack_level=3)
    assert all(rung.purpose is not Purpose.STATION for rung in ladder(twin, Role.LIVE))


def test_the_highest_level_is_reported_and_refused():
    """ABB Terra AC reports 3 and takes 0; some know only 0."""
    assert climb(ALL, lambda rung: rung.stack_level == 0) == [Rung(Purpose.TRANSACTION, "A", "Absolute", 0)]
    assert {rung.stack_level for rung in ladder(Capabilities(top_stack_level=0), Role.LIVE)} == {0}


def test_a_station_that_needs_its_highest_level_gets_it_next():
    assert climb(ALL, lambda rung: rung.stack_level == 3)[-1] == Rung(Purpose.TRANSACTION, "A", "Absolute", 3)


def test_a_station_that_needs_relative_profiles_gets_them():
    """Wallbox."""
    assert climb(ALL, lambda rung: rung.kind == "Relative")[-1] == Rung(Purpose.TRANSACTION, "A", "Relative", 0)


def test_a_station_that_reports_power_alone_is_never_told_amperes():
    """Huawei."""
    assert {rung.unit for rung in ladder(Capabilities(units=("W",)), Role.LIVE)} == {"W"}


def test_a_station_that_reports_current_alone_is_never_told_watts():
    """go-e, Garo, EVBox."""
    assert {rung.unit for rung in ladder(Capabilities(units=("A",)), Role.LIVE)} == {"A"}


def test_without_smart_charging_nothing_is_tried():
    """Heidelberg, old wallbe."""
    cannot = Capabilities(has_smart_charging=False)
    assert all(ladder(cannot, role) == [] for role in Role)
    assert next_rung(Capabilities(has_smart_charging=None), ()) is not None


def test_the_standing_current_is_always_a_default():
    assert {rung.purpose for rung in ladder(ALL, Role.STANDING)} == {Purpose.DEFAULT}


def test_a_live_default_lies_above_the_standing_one_where_there_is_room():
    for can, lies_above in (
        (ALL, True),
        (Capabilities(top_stack_level=0), False),
        (Capabilities(top_stack_level=3, most_profiles=1), False),
    ):
        standing = next_rung(can, (), Role.STANDING)
        live = next(rung for rung in ladder(can, Role.LIVE) if rung.purpose is Purpose.DEFAULT)
        assert takes_place_of(live, standing) is not lies_above
        assert has_room(can) is lies_above


def test_when_all_fail_there_is_no_next():
    assert climb(ALL, lambda _: False)[-1] is None


def test_a_refusal_is_followed_by_the_next_form_at_once_until_all_are_exhausted():
    place = Climb(ALL, Role.LIVE)
    tried = [place.rung()]
    while place.refuse(place.rung()):
        tried.append(place.rung())
    assert tried == ladder(ALL, Role.LIVE)
    assert place.is_exhausted


def test_after_exhaustion_one_form_is_tried_each_time_and_any_may_still_work():
    place = Climb(Capabilities(units=("A",)), Role.LIVE)
    while place.refuse(place.rung()):
        pass
    tried = []
    for _ in ladder(place.can, Role.LIVE):
        tried.append(place.rung())
        assert place.refuse(place.rung()) is False
    assert tried == ladder(place.can, Role.LIVE)
    place.accept(place.rung())
    assert not place.is_exhausted


def test_what_once_worked_stays_the_first_choice_of_each_transaction():
    place = Climb(ALL, Role.LIVE)
    first = place.rung()
    place.accept(first)
    place.refuse(first)
    second = place.rung()
    place.accept(second)
    assert (second != first, place.rung()) == (True, second)
    place.begin()
    assert place.rung() == first


def test_the_first_silence_is_answered_by_the_same_form_the_second_by_another_kind():
    """Timxon does not answer an Absolute profile at all."""
    place = Climb(ALL, Role.LIVE)
    first = place.rung()
    assert place.miss(first)
    assert place.rung() == first
    assert place.miss(first)
    assert place.rung() == Rung(Purpose.TRANSACTION, "A", "Relative", 0)


def test_a_form_that_is_accepted_and_not_kept_is_followed_by_the_next_and_not_used_again():
    place = Climb(ALL, Role.LIVE)
    first = place.rung()
    place.accept(first)
    assert place.disobey(first)
    second = place.rung()
    assert second == ladder(ALL, Role.LIVE)[1]
    place.accept(second)
    place.begin()
    assert (place.rung(), place.is_disobeyed) == (second, False)


def test_when_no_form_is_kept_it_goes_on_with_the_first():
    place = Climb(ALL, Role.LIVE)
    rungs = ladder(ALL, Role.LIVE)
    for rung in rungs:
        assert place.rung() == rung
        place.accept(rung)
        assert place.disobey(rung) is (rung != rungs[-1])
    place.accept(place.rung())
    place.begin()
    assert (place.rung(), place.is_disobeyed) == (rungs[0], True)
    assert not place.disobey(rungs[0])


def test_a_form_that_is_not_kept_is_still_better_than_those_that_are_refused():
    place = Climb(Capabilities(units=("A",)), Role.LIVE)
    first = place.rung()
    place.accept(first)
    assert place.disobey(first)
    while place.rung() != first:
        assert place.refuse(place.rung())
    assert place.is_disobeyed
    assert not place.is_exhausted


def test_a_station_with_one_form_keeps_it_though_it_does_not_obey():
    place = Climb(Capabilities(units=("A",)), Role.STANDING)
    rungs = ladder(place.can, place.role)
    place.refuse(*rungs[1:])
    place.accept(rungs[0])
    place.failed.update(rungs[1:])
    assert not place.disobey(rungs[0])
    assert place.rung() == rungs[0]


def test_a_place_outlasts_the_socket():
    place = Climb(ALL, Role.LIVE)
    place.disobey(place.rung())
    place.refuse(place.rung())
    place.accept(place.rung())
    assert restore(ALL, Role.LIVE, place.dump()) == place
    assert restore(ALL, Role.LIVE, {}) == Climb(ALL, Role.LIVE)


def test_a_kept_form_that_is_no_longer_on_the_ladder_is_forgotten():
    place = Climb(ALL, Role.LIVE)
    place.accept(Rung(Purpose.TRANSACTION, "A", "Absolute", 3))
    assert restore(Capabilities(top_stack_level=0), Role.LIVE, place.dump()).proven is None
