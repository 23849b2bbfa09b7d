"""A machine with given addresses: what `ifaddr` reads of the operating system."""

import ifaddr


def stand_at(monkeypatch, *ips):
    """Give this machine one interface with these addresses for the time of a test."""
    entries = [ifaddr.IP((ip, 0, 0) if ":" in ip else ip, 24, "eth0") for ip in ips]
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: [ifaddr.Adapter("eth0", "eth0", entries)])
