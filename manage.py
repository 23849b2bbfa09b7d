#!/usr/bin/env python
"""Run Django's commands and the product's own (`site`, `migrate`, …)."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llm_site.settings")
    execute_from_command_line(sys.argv)
