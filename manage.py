#!/usr/bin/env python
"""Run Django's commands and the product's own (`site`, `migrate`, …)."""

import os
import sys

from django.core.management import execute_from_command_line

from accounts.origin import Way, changes_come_by

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llm_site.settings")
    with changes_come_by(Way.COMMAND_LINE):
        execute_from_command_line(sys.argv)
