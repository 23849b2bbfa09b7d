"""Make the database and the static files ready: `manage.py prepare`."""

from typing import Any

from django.core.management import BaseCommand, call_command

from accounts.services import create_first_user
from llm_site.system.identity import uid
from llm_site.system.restore import finish_restore


class Command(BaseCommand):
    """Migrate, collect static files, and create the first user where there is none."""

    help = "Migrate the database, collect static files and create the first user (admin / 1234) where there is none."

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's interface)
        """Do it; repeating it changes nothing."""
        call_command("migrate", interactive=False, verbosity=0)
        finish_restore()
        call_command("collectstatic", interactive=False, verbosity=0)
        create_first_user()
        uid()
