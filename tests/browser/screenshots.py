"""Pictures for the documentation, taken where a test passes by anyway."""

import os
from pathlib import Path

from playwright.sync_api import Page

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "screenshots"


def keep_screenshot(page: Page, name: str) -> None:
    """Keep what the window shows as docs/screenshots/<name>.png where LLM_KEEP_SCREENSHOTS=1 is set."""
    if os.environ.get("LLM_KEEP_SCREENSHOTS") == "1":
        page.screenshot(path=FOLDER / f"{name}.png")
