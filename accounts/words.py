"""How the parts of a sentence are put together in each language."""

from typing import Any

from django.utils.translation import gettext as _


def labelled(label: Any, text: Any) -> str:
    """Put what something is called before what it is: French leaves a space before the colon."""
    return _("%(label)s: %(text)s") % {"label": label, "text": text}
