"""Import of an old device's history: looked at first, done once, stopped and undone."""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from exports import importing
from exports.formats import as_csv
from exports.importing import begin_import, import_on, keep_file, stop_import, undo_import
from exports.models import FormerTold, HistoryImport, ImportedTransaction, ImportState
from exports.period import Period
from exports.rows import rows_of
from tests.exports.history import charged, garage

pytestmark = pytest.mark.django_db

PARIS = ZoneInfo("Europe/Paris")
MANUAL = (Path(__file__).parent / "manual.csv").read_text()
HEADING, FIRST, *_ = MANUAL.splitlines()
YEAR_2022 = Period(date(2022, 1, 1), date(2022, 12, 31), PARIS)


@pytest.fixture(autouse=True)
def sent(monkeypatch):
    """Note what the worker is asked for: there is no broker here."""
    asked = []
    monkeypatch.setattr(importing.current_app, "send_task", lambda name, **options: asked.append((name, options)))
    return asked


def imported(text, **given):
    history = keep_file(file_name="old.csv", text=text, zone=PARIS, user=None)
    HistoryImport.objects.filter(pk=history.pk).update(**given)
    begin_import(pk=history.pk)
    while import_on(pk=history.pk):
        pass
    return HistoryImport.objects.get(pk=history.pk)


def exported(period=YEAR_2022):
    return b"".join(as_csv(rows_of(period), PARIS)).decode()


def test_the_example_of_the_manual_comes_out_right():
    history = imported(MANUAL)
    assert (history.state, history.added, history.done, history.text) == (ImportState.FINISHED, 34, 34, "")
    rows = list(csv.DictReader(io.StringIO(exported())))
    assert [int(row["transactionId"]) for row in rows] == list(range(1, 35))
    unended = [row for row in rows if not row["stopDateTransaction"]]
    assert [row["transactionId"] for row in unended] == ["12", "13", "16", "17"]
    assert {row["energyChargedKwh"] for row in unended} == {""}
    assert rows[1]["energyChargedKwh"] == "13.550"
    told = {line.split(",")[0]: line.split(",")[7] for line in MANUAL.splitlines()[1:]}
    ended = [row for row in rows if row not in unended]
    assert all(round(float(row["energyChargedKwh"]) * 1000) == int(told[row["transactionId"]]) for row in ended)
    assert [row["startDateTransaction"] for row in rows] == [line.split(",")[3] for line in MANUAL.splitlines()[1:]]


def test_a_second_import_adds_nothing():
    imported(MANUAL)
    again = imported(MANUAL)
    assert (again.added, again.changed) == (0, 0)
    assert ImportedTransaction.objects.count() == 34


def test_what_was_exported_can_be_imported_and_adds_nothing():
    imported(MANUAL)
    before = exported()
    again = imported(before)
    assert (again.is_wh, again.added) == (False, 0)
    assert exported() == before


def test_an_end_that_a_later_file_knows_is_taken_over():
    imported(f"{HEADING}\n{FIRST.replace('07/11/2022 11:30', '01/01/1970 01:00').replace('679', '4294965680')}")
    later = imported(f"{HEADING}\n{FIRST}")
    assert (later.added, later.changed) == (0, 1)
    (row,) = ImportedTransaction.objects.all()
    assert (row.energy_wh, row.stopped_at, row.flags) == (679, datetime(2022, 11, 7, 10, 30, tzinfo=UTC), [])


UNENDED = FIRST.replace("07/11/2022 11:30", "01/01/1970 01:00").replace("679", "4294965680")
NAMED = FIRST.replace("645c0542,N/A", "645c0542,Anna")


def test_undoing_an_import_gives_back_what_it_changed():
    imported(f"{HEADING}\n{UNENDED}")
    before = ImportedTransaction.objects.values().get()
    later = imported(f"{HEADING}\n{FIRST}\n{NAMED}\n{FIRST.replace('1,', '2,', 1)}")
    assert undo_import(pk=later.pk) == (1, 1, 0)
    assert ImportedTransaction.objects.values().get() == before


@pytest.mark.parametrize("files", [(UNENDED, FIRST, NAMED), (FIRST, FIRST, NAMED), (UNENDED, NAMED, NAMED)])
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_imports_are_undone_in_any_order_and_what_the_others_tell_is_left(files, order):
    told = {UNENDED: "N/A,", FIRST: "N/A,0.679", NAMED: "Anna,0.679"}
    imports = [imported(f"{HEADING}\n{file}") for file in files]
    left = {0, 1, 2}
    for one in order:
        undo_import(pk=imports[one].pk)
        left.remove(one)
        shown = exported().splitlines()[1:]
        assert [line.endswith(told[files[max(left)]]) for line in shown] == ([True] if left else [])
    assert not FormerTold.objects.exists()


def test_what_was_imported_in_the_wrong_unit_can_be_imported_anew_and_undone():
    wrong = imported(f"{HEADING}\n{FIRST}", is_wh=False)
    imported(f"{HEADING}\n{FIRST}")
    assert undo_import(pk=wrong.pk) == (0, 0, 1)
    assert ImportedTransaction.objects.get().energy_wh == 679


def test_what_a_longer_file_tells_again_stays_when_the_shorter_is_undone():
    second, third = FIRST.replace("1,", "2,", 1), FIRST.replace("1,", "3,", 1)
    shorter = imported(f"{HEADING}\n{FIRST}\n{second}")
    longer = imported(f"{HEADING}\n{second}\n{third}")
    assert (longer.added, longer.changed) == (1, 0)
    assert undo_import(pk=shorter.pk) == (1, 0, 1)
    assert undo_import(pk=longer.pk) == (2, 0, 0)


def test_a_row_that_stands_in_the_file_twice_is_imported_once():
    assert imported(f"{HEADING}\n{FIRST}\n{FIRST}").added == 1


def test_our_own_transactions_are_left_alone():
    begun = datetime(2022, 11, 7, 10, 21, 42, tzinfo=UTC)
    charged(garage(), begun, begun, wh=5)
    assert imported(exported()).added == 0
    assert len(exported().splitlines()) == 2


def test_our_own_are_known_again_in_the_hour_that_comes_twice_and_without_their_space():
    connector = garage()
    for hour, id_tag in ((0, "CAFE01"), (1, "CAFE01"), (12, "CAFE02 ")):
        at = datetime(2022, 10, 30, hour, 30, tzinfo=UTC)
        charged(connector, at, at + timedelta(hours=4), wh=5000, id_tag=id_tag)
    assert imported(exported()).added == 0


def test_wrong_rows_are_left_out_and_the_others_imported():
    history = imported(f"{HEADING}\n{FIRST}\n2,,,never,,,,5\n")
    assert (history.added, history.total, history.done) == (1, 2, 2)


def test_a_stopped_import_goes_on_where_it_stopped(monkeypatch):
    monkeypatch.setattr(importing, "BATCH", 10)
    monkeypatch.setattr(importing, "SLICE_S", 0)
    history = keep_file(file_name="old.csv", text=MANUAL, zone=PARIS, user=None)
    begin_import(pk=history.pk)
    assert import_on(pk=history.pk)
    stop_import(pk=history.pk)
    assert not import_on(pk=history.pk)
    history.refresh_from_db()
    assert (history.state, history.done, ImportedTransaction.objects.count()) == (ImportState.STOPPED, 10, 10)
    begin_import(pk=history.pk)
    while import_on(pk=history.pk):
        pass
    assert ImportedTransaction.objects.count() == 34


def test_a_slice_that_comes_twice_writes_once(monkeypatch):
    monkeypatch.setattr(importing, "SLICE_S", 0)
    history = keep_file(file_name="old.csv", text=MANUAL, zone=PARIS, user=None)
    begin_import(pk=history.pk)
    late = HistoryImport.objects.get(pk=history.pk)
    import_on(pk=history.pk)
    assert not importing._write(late, [], 34)
    assert HistoryImport.objects.get().added == 34


# --- the pages


def upload(client, data, name="old.csv"):
    return client.post("/export/import/", {"file": SimpleUploadedFile(name, data)})


def test_a_file_is_looked_at_before_anything_is_written(administrator, sent):
    garage()
    answer = upload(administrator, (MANUAL + "99,x,N/A,never,,,N/A,5\n").encode())
    shown = administrator.get(answer.url).content.decode()
    assert "<strong>34</strong> new" in shown
    assert "<strong>4 ×</strong> The old device has noted no end" in shown
    assert "Line 36: startDateTransaction is no time" in shown
    assert "Its times are those of Europe/Paris." in shown
    assert not ImportedTransaction.objects.exists()
    administrator.post(answer.url, {"begin": "1"})
    (history,) = HistoryImport.objects.all()
    assert sent == [("exports.tasks.import_history", {"args": (history.pk,), "retry": False})]
    assert 'role="progressbar"' in administrator.get(answer.url).content.decode()


def test_the_unit_can_be_chosen(administrator):
    url = upload(administrator, MANUAL.encode()).url
    assert "0.679" in administrator.get(url).content.decode()
    administrator.post(url, {"unit": "kwh"})
    assert "679.000" in administrator.get(url).content.decode()


def test_an_import_is_undone_as_a_whole(administrator):
    history, later = imported(MANUAL), imported(MANUAL)
    answer = administrator.post(f"/export/import/{history.pk}/", {"undo": "1"}, follow=True)
    assert "34 charging sessions stay, as later imports told them too." in answer.content.decode()
    administrator.post(f"/export/import/{later.pk}/", {"undo": "1"})
    assert not ImportedTransaction.objects.exists()
    assert not HistoryImport.objects.exists()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"badgeId,type\n1,2", "This is no exported history"),
        (b"\x00\xff", "no exported history"),
        (b"", "is empty"),
        (b"x" * 131_073 + b"\n", "no exported history"),
    ],
)
def test_a_file_that_is_no_history_is_refused_at_its_field(administrator, data, why):
    answer = upload(administrator, data)
    assert why in str(answer.context["form"].errors["file"])
    assert not HistoryImport.objects.exists()


def test_a_file_of_a_gigabyte_is_refused_before_it_is_read(administrator):
    class Unread(io.RawIOBase):
        def readinto(self, _buffer):
            raise AssertionError("it was read")

    administrator.handler.enforce_csrf_checks = True
    body = {"wsgi.input": Unread(), "CONTENT_LENGTH": str(2**30), "CONTENT_TYPE": "multipart/form-data; boundary=x"}
    answer = administrator.generic("POST", "/export/import/", **body)
    assert answer.status_code == 413
    assert "larger than 10 MB" in answer.content.decode()
    assert upload(administrator, MANUAL.encode()).status_code == 403, "it has no token"


def test_a_broker_that_is_away_is_said_and_nothing_has_begun(administrator, monkeypatch):
    from kombu.exceptions import OperationalError

    def away(*_task, **_options):
        raise OperationalError

    url = upload(administrator, MANUAL.encode()).url
    monkeypatch.setattr(importing.current_app, "send_task", away)
    answer = administrator.post(url, {"begin": "1"}, follow=True)
    assert "the broker does not answer" in answer.content.decode()
    assert HistoryImport.objects.get().state == ImportState.STOPPED


def test_an_imported_transaction_is_found_by_its_badge(administrator):
    imported(MANUAL)
    shown = administrator.get("/admin/exports/importedtransaction/", {"q": "24cfd58"})
    assert shown.context["cl"].result_count == 10
    row = ImportedTransaction.objects.get(number=12)
    assert (
        "has noted no end" in administrator.get(f"/admin/exports/importedtransaction/{row.pk}/change/").content.decode()
    )
