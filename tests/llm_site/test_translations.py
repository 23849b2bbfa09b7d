import gettext
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCALE = ROOT / "llm_site" / "locale"
APPS = ("accounts", "badges", "energy", "exports", "llm_site", "stations")
LANGUAGES = ("fr", "de")

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("xgettext", "msgcmp", "msgfmt"))), reason="the gettext tools are not installed"
)


def run(*command, cwd=ROOT):
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """Collect every sentence of the source, as makemessages does, in a copy of it."""
    copy = tmp_path_factory.mktemp("source")
    for app in APPS:
        shutil.copytree(ROOT / app, copy / app, ignore=shutil.ignore_patterns("locale", "static", "__pycache__"))
    (copy / "locale").mkdir()
    done = run(sys.executable, "-m", "django", "makemessages", "-l", "fr", "--keep-pot", "--no-location", cwd=copy)
    assert done.returncode == 0, done.stderr
    return copy / "locale" / "django.pot"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_is_translated(template, language):
    compared = run("msgcmp", str(LOCALE / language / "LC_MESSAGES" / "django.po"), str(template))
    assert compared.returncode == 0, compared.stderr


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_compiled_catalogue_is_that_of_its_source(tmp_path, language):
    folder = LOCALE / language / "LC_MESSAGES"
    compiled = run("msgfmt", "--check", "-o", str(tmp_path / "fresh.mo"), str(folder / "django.po"))
    assert compiled.returncode == 0, compiled.stderr
    catalogues = []
    for path in (tmp_path / "fresh.mo", folder / "django.mo"):
        with path.open("rb") as file:
            catalogues.append(gettext.GNUTranslations(file)._catalog)
    assert catalogues[0] == catalogues[1]
