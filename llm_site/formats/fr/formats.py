"""French: 22 nov. 2026, 14:05; short enough for a table. The rest is Django's."""

DATE_FORMAT = "j N Y"
DATETIME_FORMAT = "j N Y, H:i"
