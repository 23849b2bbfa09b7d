import gettext
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import django.contrib.admin
import django.contrib.auth
import pytest
import unfold
from django.utils.translation import trans_real

from llm_site.borrowed_words import WORDS

ROOT = Path(__file__).resolve().parents[2]
LOCALE = ROOT / "llm_site" / "locale"
APPS = ("accounts", "badges", "energy", "exports", "llm_site", "stations")
LANGUAGES = ("fr", "de")
CATALOGUES = sorted(LOCALE.glob("*/LC_MESSAGES/*.po"))
BORROWED = [Path(package.__file__).parent for package in (unfold, django.contrib.admin, django.contrib.auth)]
NOT_SHOWN = {  # of parts that the product does not have: data sets, currencies, pictures, nested rows, other sign-ins
    "All applications",
    "Dark",
    "Dataset not found. No action performed.",
    "Forgotten your password or username?",
    "Image preview",
    "In case you’ve forgotten, you are:",
    "Light",
    "Loading more results...",
    "No recent searches",
    "No results found",
    "No results matching your query",
    "Recent searches",
    "Record picture",
    "Search apps and models...",
    "Select currency",
    "System",
    "This page yielded into no results. Create a new item or reset your filters.",
    "Welcome back to",
    "You can not create nested object without parent",
}

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("xgettext", "msgcmp", "msgen", "msgfmt"))), reason="the gettext tools are not installed"
)


def run(*command, cwd=ROOT):
    """Run a command without our settings, which would lead makemessages to the catalogues themselves."""
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def collect(copy, folders, *ignored):
    """Collect every sentence of these folders, as makemessages does, in a copy of them."""
    for folder in folders:
        ignore = shutil.ignore_patterns("locale", "static", "__pycache__", *ignored)
        shutil.copytree(folder, copy / folder.name, ignore=ignore)
    (copy / "locale").mkdir()
    done = run(sys.executable, "-m", "django", "makemessages", "-l", "fr", "--keep-pot", "--no-location", cwd=copy)
    assert done.returncode == 0, done.stderr
    return copy / "locale" / "django.pot"


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return collect(tmp_path_factory.mktemp("source"), [ROOT / app for app in APPS])


@pytest.fixture(scope="module")
def borrowed(tmp_path_factory):
    """List the sentences of the packages whose pages we show, as a catalogue of gettext keys them."""
    copy = tmp_path_factory.mktemp("borrowed")
    collect(copy, BORROWED, "contrib", "unfold_crispy", "password_reset*")
    found = copy / "locale" / "fr" / "LC_MESSAGES" / "django.po"
    for command in (("msgen", "-o", "en.po", found), ("msgfmt", "-o", "en.mo", "en.po")):
        assert run(*map(str, command), cwd=copy).returncode == 0
    with (copy / "en.mo").open("rb") as file:
        keys = gettext.GNUTranslations(file)._catalog.keys()
    return {key for key in keys if (key if isinstance(key, str) else key[0]).strip()}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_is_translated(template, language):
    compared = run("msgcmp", str(LOCALE / language / "LC_MESSAGES" / "django.po"), str(template))
    assert compared.returncode == 0, compared.stderr


@pytest.mark.parametrize(
    "source", sorted(LOCALE.glob("*/LC_MESSAGES/*.po")), ids=lambda path: f"{path.parts[-3]}-{path.stem}"
)
def test_the_compiled_catalogue_is_that_of_its_source(tmp_path, source):
    compiled = run("msgfmt", "--check", "-o", str(tmp_path / "fresh.mo"), str(source))
    assert compiled.returncode == 0, compiled.stderr
    catalogues = []
    for path in (tmp_path / "fresh.mo", source.with_suffix(".mo")):
        with path.open("rb") as file:
            catalogues.append(gettext.GNUTranslations(file)._catalog)
    assert catalogues[0] == catalogues[1]


def test_french_marks_stay_with_their_word():
    """A space before them is one that no line is broken at: U+202F before ; ! ?, U+00A0 before : and in « »."""
    with (LOCALE / "fr" / "LC_MESSAGES" / "django.mo").open("rb") as file:
        sentences = gettext.GNUTranslations(file)._catalog.values()
    assert [sentence for sentence in sentences if re.search(r" [:;!?»](\W|$)|« ", sentence)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_the_admins_pages_say_by_themselves_is_translated(borrowed, language):
    catalogue = trans_real.translation(language)._catalog
    missing = {key for key in borrowed if catalogue.get(key) is None}
    assert {key for key in missing if key not in NOT_SHOWN and "Found %(counter)s" not in key[0]} == set()


def test_no_sentence_is_borrowed_that_nobody_says(borrowed):
    assert set(WORDS) - borrowed == set()
