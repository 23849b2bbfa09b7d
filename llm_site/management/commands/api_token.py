"""Make a token for the REST API: `manage.py api_token USERNAME`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import User
from accounts.services import renew_token


class Command(BaseCommand):
    """Print a new token of a user, once; the one before ends."""

    help = "Make a new token for the REST API and print it, once. The user's token before it ends."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take whose token."""
        parser.add_argument("username", help="whose token: what it may do is what their profile may do")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's interface)
        """Print it alone on a line, for scripts."""
        try:
            self.stdout.write(renew_token(username=options["username"]))
        except User.DoesNotExist as error:
            raise CommandError(str(error)) from None
