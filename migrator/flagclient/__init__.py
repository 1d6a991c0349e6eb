"""Client of LaunchDarkly's REST API; what is listed here is for the rest of migrator."""

from migrator.flagclient.client import FlagClient
from migrator.flagclient.errors import FlagNotFound, Forbidden, NotSupported
from migrator.flagclient.models import AuditEntry, CustomEvents, Flag, Weights
from migrator.flagclient.retry import RetryPolicy
from migrator.flagclient.target import Target

__all__ = [
    "AuditEntry",
    "CustomEvents",
    "Flag",
    "FlagClient",
    "FlagNotFound",
    "Forbidden",
    "NotSupported",
    "RetryPolicy",
    "Target",
    "Weights",
]
