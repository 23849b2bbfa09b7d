from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class StationsConfig(AppConfig):
    name = "stations"
    verbose_name = _("Charging stations")

    def ready(self) -> None:
        """Keep every change of what people set; what stations say of themselves is left out."""
        from accounts import audit
        from stations.models import Certificate, Circuit, CpoServer, Station

        audit.track(Circuit, fields=["name", "limit_l1_a", "limit_l2_a", "limit_l3_a", "parent"])
        audit.track(
            CpoServer,
            fields=["name", "url", "offline_policy", "ca_pem", "barred"],
            secrets=["password_sealed"],
            names={"password_sealed": _("Password")},
        )
        audit.track(
            Station,
            fields=[
                "identity",
                "name",
                "state",
                "phase_rotation",
                "min_current_a",
                "max_current_a",
                "fail_safe_a",
                "circuit",
                "priority",
                "takes_all_badges",
                "host_name",
                "mac_address",
                "security_profile",
                "cpo_server",
                "cpo_identity",
                "is_cpo_enabled",
            ],
            secrets=["password_hash", "next_password_hash"],
            links=["badges"],
            names={
                "password_hash": _("Password"),
                "next_password_hash": _("New password"),
                "cpo_server": _("operator server"),
                "cpo_identity": _("identity at the operator"),
                "is_cpo_enabled": _("connected to the operator"),
            },
        )
        audit.track(Certificate, fields=["station", "common_name", "serial_number", "state"])
