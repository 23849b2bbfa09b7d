"""`manage.py certificate root` and `manage.py certificate server HOST...`: the load manager's own certificates."""

import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from stations.certificates import authority, issue_server_certificate
from stations.errors import CertificateRefused


class Command(BaseCommand):
    """Print the root certificate, or make a server certificate under it."""

    help = "Print the load manager's root certificate, or make a certificate and key for serving TLS."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take one of two words: root or server."""
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("root", help="print the root certificate, which stations and proxies are to trust")
        server = actions.add_parser("server", help="make a certificate and a key for this machine in the data folder")
        server.add_argument("hosts", nargs="+", help="the names and addresses stations connect to")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's interface)
        """Do what was asked."""
        if options["action"] == "root":
            self.stdout.write(authority().certificate_pem, ending="")
            return
        try:
            certificate, key = issue_server_certificate(hosts=options["hosts"])
        except ValueError as error:
            raise CommandError(f"expected host names (international ones as xn--…) or addresses: {error}") from None
        except CertificateRefused as error:
            raise CommandError(str(error)) from None
        folder = settings.DATA_DIR / "tls"
        folder.mkdir(mode=0o700, exist_ok=True)
        for name, text in (("server.key", key), ("server.pem", certificate)):
            with open(folder / name, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
                file.write(text)
        self.stdout.write(f"LLM_TLS_CERT={folder / 'server.pem'}\nLLM_TLS_KEY={folder / 'server.key'}")
