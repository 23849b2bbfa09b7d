"""Draw QR codes, to be read off a screen."""

import segno
from django.utils.safestring import SafeString


def draw_qr_code(text: str) -> SafeString:
    """Draw a text as SVG, dark on white in either theme."""
    return SafeString(segno.make(text, error="m", micro=False).svg_inline(border=4, light="#fff", omitsize=True))
