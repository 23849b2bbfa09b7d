"""Decide how much current each connector may have: pure Python, without Django, clock or log."""

from .controller import Controller
from .fail_safe import fall_back
from .kernel import Share, allocate, explain
from .model import (
    REASON_TEXTS,
    Circuit,
    ConnectorSeen,
    Cut,
    Decision,
    Demand,
    Observation,
    Reason,
    ReasonCode,
    SurplusRule,
    Timing,
)
from .transformers import LinesFault

__all__ = [
    "REASON_TEXTS",
    "Circuit",
    "ConnectorSeen",
    "Controller",
    "Cut",
    "Decision",
    "Demand",
    "LinesFault",
    "Observation",
    "Reason",
    "ReasonCode",
    "Share",
    "SurplusRule",
    "Timing",
    "allocate",
    "explain",
    "fall_back",
]
