"""Import as the pages and the worker do, without a broker between them."""

from badges.import_models import BadgeImport, ImportedRow
from badges.importing import begin_import, check_on, confirm_import, write_import

HEADING = "badgeId,type,comment,expirationDate,email"


def check(raw):
    """Check a file to its end; returns the import."""
    raw = raw if isinstance(raw, bytes) else f"{HEADING}\n{raw}".encode()
    run = begin_import(file_name="badges.csv", raw=raw, user=None, address=None)
    while check_on(run=run):
        pass
    return BadgeImport.get_solo()


def write(job, *, leaves_out_wrong=False, user=None, address=None):
    """Confirm and write what was checked; returns the import."""
    confirm_import(run=job.run, leaves_out_wrong=leaves_out_wrong, user=user, address=address)
    write_import(run=job.run)
    return BadgeImport.get_solo()


def outcomes():
    """Line → what the row means."""
    return dict(ImportedRow.objects.values_list("line", "outcome"))


def counts(job):
    return job.new, job.changed, job.unchanged, job.wrong
