"""Every page an administrator can come to, found by its links: accessible in light and dark, and fit for a phone."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import axe_playwright_python
import pytest
from django.contrib import admin
from django.urls import get_resolver, resolve

from tests.browser.test_overview import sign_in

AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
GRAVE = """async (rules) => {
  const found = await axe.run(document, { resultTypes: ["violations"], ...rules });
  return found.violations
    .filter(({ impact }) => ["serious", "critical"].includes(impact))
    .map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]);
}"""
COLOURS = {"runOnly": ["color-contrast"]}  # all that differs between the themes
NO_PAGES = re.compile(
    r"^/(api|static|live)/|^/admin/(jsi18n|logout|autocomplete|search|energy/installation/meter-(line|search))/"
)


def plain_paths(patterns, prefix="/"):
    """List the addresses that need nothing filled in; the others are come to by links."""
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        if hasattr(pattern, "url_patterns"):
            yield from plain_paths(pattern.url_patterns, path)
        elif not re.search(r"[<(^]", path):
            yield path


def links_of(page):
    return page.evaluate("[...document.querySelectorAll('.page a[href], .menu a[href]')].map((link) => link.href)")


def faults_of(page):
    """Look at one page in both themes, then at a phone's width."""
    if not page.query_selector("#theme"):
        return ["not in the frame"]
    faults = page.evaluate(GRAVE, {})
    page.evaluate("document.getElementById('theme').click()")
    faults += page.evaluate(GRAVE, COLOURS)
    page.set_viewport_size({"width": 390, "height": 844})
    width = page.evaluate("document.documentElement.scrollWidth")
    page.set_viewport_size({"width": 1440, "height": 1000})
    return faults + ([f"{width} px wide on a phone of 390"] if width > 390 else [])


def is_page(page, url):
    """Ask before the browser goes there: a download, a script, a redirection and the goal of a form are no pages."""
    answer = page.request.get(url, max_redirects=0)
    assert answer.status < 500, url
    return answer.status == 200 and answer.headers["content-type"].startswith("text/html")


def walk(page, start):
    """Visit one page of each kind, and give their faults by address."""
    waiting, seen, faults = [start + path for path in plain_paths(get_resolver().url_patterns)], set(), {}
    while waiting:
        url = waiting.pop(0)
        path = urlsplit(url).path
        if not url.startswith(start) or NO_PAGES.match(path):
            continue
        kind = resolve(path).route
        if kind in seen:
            continue
        seen.add(kind)
        if not is_page(page, url):
            continue
        page.goto(url)
        waiting += links_of(page)
        if found := faults_of(page):
            faults[path] = found
    return seen, faults


@pytest.mark.timeout(300)
def test_every_page_is_accessible_in_both_themes_and_fits_a_phone(site, open_page):
    site.tell("records")
    page = open_page()
    page.context.add_init_script(path=AXE)
    page.context.add_init_script(
        "addEventListener('DOMContentLoaded', () => document.head.insertAdjacentHTML("
        "'beforeend', '<style>*, ::before, ::after { transition: none !important }</style>'))"
    )
    sign_in(page, site)
    seen, faults = walk(page, site.url)
    assert faults == {}
    for model in admin.site._registry:
        name = f"admin/{model._meta.app_label}/{model._meta.model_name}/"
        assert [kind for kind in seen if kind.startswith(name)], f"no way leads to the pages of {model.__name__}"
