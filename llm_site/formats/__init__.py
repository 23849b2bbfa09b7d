"""How each language writes dates, where that differs from Django's."""
