"""What is installed in the garage, and what happened there."""

from stations.models.charging import ChargedAt, MeterValue, StrayMessage, Transaction
from stations.models.commands import Command, CommandState
from stations.models.fail_safe import FailSafeTest
from stations.models.installation import (
    MAXIMUM_A,
    MINIMUM_A,
    UNMEASURED_A,
    Circuit,
    Connector,
    ConnectorStatus,
    CpoServer,
    PhaseRotation,
    SecurityProfile,
    Station,
    StationState,
)
from stations.models.local_list import BadgeList, LocalList
from stations.models.message_log import FRAMES_KEPT, Frame
from stations.models.operator import CpoIdTag, CpoLink, CpoMessage, CpoProfile, CpoTransaction, LinkState
from stations.models.preconfiguration import Preconfiguration
from stations.models.progress import ProgressKind, StationProgress
from stations.models.search import StationSearch, StationSearchState, StationSearchStep
from stations.models.security import Certificate, CertificateAuthority, CertificateState, SecurityEvent
from stations.models.stop_request import StopRequest

__all__ = [
    "FRAMES_KEPT",
    "MAXIMUM_A",
    "MINIMUM_A",
    "UNMEASURED_A",
    "BadgeList",
    "Certificate",
    "CertificateAuthority",
    "CertificateState",
    "ChargedAt",
    "Circuit",
    "Command",
    "CommandState",
    "Connector",
    "ConnectorStatus",
    "CpoIdTag",
    "CpoLink",
    "CpoMessage",
    "CpoProfile",
    "CpoServer",
    "CpoTransaction",
    "FailSafeTest",
    "Frame",
    "LinkState",
    "LocalList",
    "MeterValue",
    "PhaseRotation",
    "Preconfiguration",
    "ProgressKind",
    "SecurityEvent",
    "SecurityProfile",
    "Station",
    "StationProgress",
    "StationSearch",
    "StationSearchState",
    "StationSearchStep",
    "StationState",
    "StopRequest",
    "StrayMessage",
    "Transaction",
]
