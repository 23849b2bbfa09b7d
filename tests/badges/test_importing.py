"""Imports: what a row means, all of it or nothing, and what is kept of who did it."""

import pytest
from auditlog.models import LogEntry
from celery import current_app
from django.utils import translation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.changes import lines_of
from accounts.models import Change
from accounts.services import save_user
from badges import importing
from badges.csv_files.faults import FileRefused, in_words
from badges.csv_files.table import write_table
from badges.csv_resource import exported
from badges.import_models import BadgeImport, ImportedRow, ImportState
from badges.importing import begin_import, check_again, check_on, confirm_import, is_stalled, stop_import, write_import
from badges.models import Badge, BadgeSettings
from stations.local_lists import Badges
from stations.models import Station
from tests.badges.importing import HEADING, check, counts, outcomes, write

pytestmark = pytest.mark.django_db

FIELDS = ("id_tag", "type", "comment", "email", "expires_on")


def badges():
    return list(Badge.objects.order_by("id_tag").values_list(*FIELDS))


def notes(line):
    row = ImportedRow.objects.get(line=line)
    return " ".join(in_words(note) for note in [*row.faults, *row.hints])


# --- what a row means


def test_each_row_is_new_changed_unchanged_or_wrong():
    Badge.objects.create(id_tag="A1", comment="Anna")
    Badge.objects.create(id_tag="a2", comment="Ben", email="ben@example.org")
    done = check("a1,SUPERVISOR,Anna,,\nA2,standard,Ben,,ben@example.org\nA3,,,,\nA4,VIP,,,\n")
    assert outcomes() == {2: "changed", 3: "unchanged", 4: "new", 5: "wrong"}
    assert (counts(done), done.state) == ((1, 1, 1, 1), ImportState.CHECKED)
    changed = ImportedRow.objects.get(line=2)
    assert (changed.before, changed.after["type"]) == ({"type": "standard"}, "supervisor")


def test_a_wrong_row_says_everything_that_is_wrong_with_it():
    check('A1,VIP,x,31.02.2030,nobody,more\n1.2E+09,,,,\n,,"no number",,\n')
    assert "VIP" in notes(2)
    assert "31.02.2030" in notes(2)
    assert "“nobody” is not an e-mail address" in notes(2)
    assert "more in this row than the first line has columns: “more”" in notes(2)
    assert "its digits are lost" in notes(3)
    assert "no badge number" in notes(4)


def test_reasons_are_said_in_the_language_of_who_reads_them():
    check("A1,VIP,,,\n")
    with translation.override("fr"):
        assert notes(2) == "«\u00a0VIP\u00a0» n’est pas un type de badge\u00a0: écrivez STANDARD ou SUPERVISOR."


def test_both_rows_of_a_badge_that_comes_twice_are_wrong():
    check("ab01,,first,,\nA2,,,,\nAB01,,second,,\n")
    assert outcomes() == {2: "wrong", 3: "new", 4: "wrong"}
    assert "lines 2, 4" in notes(2)
    assert "lines 2, 4" in notes(4)


def test_american_days_are_refused_and_make_others_doubtful():
    check("A1,,,01/30/2031,\nA2,,,01/02/2031,\nA3,,,30/01/2031,\n")
    assert outcomes() == {2: "wrong", 3: "wrong", 4: "new"}


@pytest.mark.parametrize(("known", "given_"), [("0012345", "12345"), ("12345", "0012345")])
def test_a_number_that_differs_by_zeros_only_is_hinted_at(known, given_):
    Badge.objects.create(id_tag=known)
    check(f"{given_},,,,\n")
    assert outcomes() == {2: "new"}
    assert f"There is a badge {known} too" in notes(2)


def test_a_day_that_has_passed_is_hinted_at():
    check("A1,,,30.01.2023,\nA2,,,30.01.2093,\n")
    assert "This day has passed" in notes(2)
    assert notes(3) == ""


def test_an_empty_type_leaves_a_badge_what_it_is_and_makes_a_new_one_standard():
    Badge.objects.create(id_tag="A1", type="supervisor")
    write(check("A1,,changed,,\nA2,,,,\n"))
    assert [row[1] for row in badges()] == ["supervisor", "standard"]


def test_columns_that_are_missing_leave_what_is_there():
    Badge.objects.create(id_tag="A1", comment="Anna", email="anna@example.org")
    write(check(b"badgeId;type\nA1;SUPERVISOR\n"))
    assert badges() == [("A1", "supervisor", "Anna", "anna@example.org", None)]


def test_an_empty_cell_empties_the_field():
    Badge.objects.create(id_tag="A1", comment="Anna", expires_on="2030-01-01")
    write(check("A1,STANDARD,,,\n"))
    assert badges() == [("A1", "standard", "", "", None)]


def test_a_badge_keeps_what_no_file_says():
    Badge.objects.create(id_tag="a1", is_active=False, is_good_everywhere=False)
    write(check("A1,SUPERVISOR,,,\n"))
    badge = Badge.objects.get()
    assert (badge.id_tag, badge.is_active, badge.is_good_everywhere) == ("a1", False, False)


@pytest.mark.parametrize("number", ["À", "日本"])
def test_a_number_that_the_form_refuses_is_refused_in_a_file(number):
    assert counts(check(f"{number},,,,\nA1,,,,\n")) == (1, 0, 0, 1)
    assert notes(2) == "A badge number has letters without accents, digits and signs alone, as stations send it."


# --- what is exported is imported


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30).map(str.strip)
LETTERS = st.characters(min_codepoint=33, max_codepoint=126)
BADGES = st.lists(
    st.builds(
        Badge,
        id_tag=st.text(LETTERS, min_size=1, max_size=20).filter(lambda text: "E" not in text.upper()),
        type=st.sampled_from(["standard", "supervisor", "pending"]),
        comment=TEXTS,
        email=st.sampled_from(["", "anna@example.org", "+33@example.org"]),
        expires_on=st.none() | st.dates(),
        is_active=st.booleans(),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda badge: badge.id_tag.upper(),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(BADGES, st.sampled_from([",", ";", "\t"]))
def test_what_is_exported_changes_nothing_and_can_be_imported_anew(kept, separator):
    Badge.objects.all().delete()
    Badge.objects.bulk_create(kept)
    file = write_table(exported(Badge.objects.all()), separator)
    assert counts(check(file)) == (0, 0, len(kept), 0)
    before = badges()
    Badge.objects.all().delete()
    write(check(file))
    assert badges() == before


# --- all or nothing


def test_nothing_is_written_before_it_is_confirmed_and_wrong_rows_have_to_be_left_out_on_purpose():
    job = check("A1,,,,\nA2,VIP,,,\n")
    with pytest.raises(FileRefused, match="rows are wrong"):
        confirm_import(run=job.run, leaves_out_wrong=False, user=None, address=None)
    write_import(run=job.run)
    assert badges() == []
    done = write(job, leaves_out_wrong=True)
    assert [row[0] for row in badges()] == ["A1"]
    assert (done.state, counts(done), done.text) == (ImportState.DONE, (1, 0, 0, 1), "")
    assert outcomes() == {3: "wrong"}


@pytest.mark.parametrize("meanwhile", ["taken", "changed", "deleted"])
def test_a_badge_that_was_changed_meanwhile_stops_the_whole_import(meanwhile):
    anna = Badge.objects.create(id_tag="A2", comment="Anna")
    job = check("A1,,new,,\nA2,SUPERVISOR,Anne,,\nA3,,,,\n")
    if meanwhile == "taken":
        Badge.objects.create(id_tag="a3")
    elif meanwhile == "changed":
        Badge.objects.filter(pk=anna.pk).update(comment="Annabelle")
    else:
        anna.delete()
    before = badges()
    done = write(job)
    assert badges() == before
    assert done.state == ImportState.REFUSED
    assert "changed by someone else" in in_words(done.fault)
    assert not LogEntry.objects.filter(additional_data__note=importing.NOTE).exists()


def test_after_that_the_file_can_be_checked_again(monkeypatch):
    job = check("A1,,,,\n")
    badge = Badge.objects.create(id_tag="A1")
    write(job)
    sent = []
    monkeypatch.setattr(current_app, "send_task", lambda _task, args, **_options: sent.append(*args))
    check_again()
    check_on(run=sent[0])
    assert outcomes() == {2: "unchanged"}
    badge.delete()


def test_a_field_that_the_preview_does_not_name_is_not_written():
    Badge.objects.create(id_tag="A1", comment="Anna")
    job = check("A1,SUPERVISOR,Anna,,\n")
    Badge.objects.update(comment="Annabelle")
    write(job)
    assert badges() == [("A1", "supervisor", "Annabelle", "", None)]


def test_a_check_goes_on_where_it_was_and_can_be_stopped(monkeypatch):
    monkeypatch.setattr(importing, "SLICE", 2)
    monkeypatch.setattr(importing, "PIECE", 1)
    raw = f"{HEADING}\nA1,,,,\nA2,,,,\n\nA3,,,,\nA4,,,,\nA5,,,,\n".encode()
    run = begin_import(file_name="x", raw=raw, user=None, address=None)
    assert check_on(run=run) is True
    assert (BadgeImport.get_solo().done, outcomes()) == (2, {2: "new", 3: "new"})
    assert check_on(run=run) is True
    stop_import(run=run)
    assert check_on(run=run) is False
    assert (BadgeImport.get_solo().state, len(outcomes())) == (ImportState.STOPPED, 4)
    done = check(raw)
    assert (done.done, sorted(outcomes())) == (5, [2, 3, 5, 6, 7])


def test_another_file_has_to_wait_unless_the_one_before_stands_still():
    raw = f"{HEADING}\nA1,,,,\n".encode()
    begin_import(file_name="x", raw=raw, user=None, address=None)
    with pytest.raises(FileRefused, match="under way"):
        begin_import(file_name="y", raw=raw, user=None, address=None)
    BadgeImport.objects.update(heard_at=None)
    assert is_stalled(BadgeImport.get_solo())
    assert check(raw).state == ImportState.CHECKED


def test_a_worker_of_an_older_import_writes_nothing():
    job = check("A1,,,,\n")
    newer = check("B1,,,,\n")
    assert check_on(run=job.run) is False
    with pytest.raises(FileRefused):
        confirm_import(run=job.run, leaves_out_wrong=False, user=None, address=None)
    write_import(run=job.run)
    assert badges() == []
    write(newer)
    write_import(run=newer.run)
    assert [row[0] for row in badges()] == ["B1"]


def test_a_file_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(importing, "LARGEST_FILE", 50)
    with pytest.raises(FileRefused, match="larger than"):
        begin_import(file_name="x", raw=b"badgeId\n" + b"A" * 50, user=None, address=None)


# --- who did it, and what follows


def test_an_import_is_on_record_badge_by_badge_with_who_confirmed_it():
    anna = save_user(username="anna", role="advanced")
    Badge.objects.create(id_tag="A1", comment="old")
    Change.objects.all().delete()
    write(check("A1,STANDARD,new,31.12.2030,\nA2,,,,\n"), user=anna, address="192.168.1.9")
    added, changed = Change.objects.order_by("object_repr", "-pk").exclude(object_repr="anna")[::-1]
    assert (changed.object_repr, changed.get_action_display()) == ("A1 (new)", "update")
    assert lines_of(changed) == ["Comment: old → new", "Expires on: – → 31 Dec 2030", "Imported from a file."]
    assert (added.object_repr, added.get_action_display()) == ("A2", "create")
    assert added.changes["type"] == [None, "standard"]
    for change in (added, changed):
        assert (change.additional_data["who"], change.additional_data["way"]) == ("anna", "page")
        assert (change.remote_addr, change.actor) == ("192.168.1.9", anna)
        assert change.object_id == Badge.objects.get(id_tag=change.object_repr[:2]).pk
    assert len({change.cid for change in (added, changed)}) == 1


def test_what_is_kept_of_a_new_badge_is_what_is_kept_of_one_added_by_hand():
    Badge.objects.create(id_tag="A1", type="supervisor", comment="x")
    by_hand = Change.objects.get(object_repr="A1 (x)")
    write(check("A2,SUPERVISOR,x,,\n"))
    imported = Change.objects.get(object_repr="A2 (x)")
    assert {**imported.changes, "id_tag": [None, "A1"]} == by_hand.changes
    assert imported.content_type == by_hand.content_type


def test_stations_are_to_hold_what_was_imported():
    BadgeSettings.objects.update_or_create(pk=1, defaults={"access_rule": "badge"})
    station = Station.objects.create(identity="CP1")
    Badge.objects.create(id_tag="A1", expires_on="2030-01-01")
    write(check("A1,STANDARD,,31.12.2020,\nA2,,,,\n"))
    listed = Badges([station.pk]).wanted_by(station.pk, station.takes_all_badges, 100).entries
    assert {entry.id_tag: entry.status for entry in listed} == {"A1": "Expired", "A2": "Accepted"}
