"""Who this load manager is: its UID, made once, and the name it has on the network (SPEC S2)."""

import secrets

from energy.models import Installation


def uid() -> str:
    """Return the UID, twelve hexadecimal characters, making it at the first start."""
    row, _ = Installation.objects.get_or_create(pk=Installation.singleton_instance_id)
    if not row.uid:
        Installation.objects.filter(pk=row.pk, uid="").update(uid=secrets.token_hex(6))
        row.refresh_from_db()
    return row.uid


def host_name() -> str:
    """Return the name under which the load manager is found, without `.local`."""
    return f"hager-llm-{uid()[-6:]}"
