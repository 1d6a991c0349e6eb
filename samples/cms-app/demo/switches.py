"""How fast every proxy obeyed a flag that was turned off: read from the audit log and the proxy."""

import time

from demo.summary import SwitchOff
from demo.system import System

SETTLE = 1.5
"""Seconds after a switch-off until the figures are read: the event comes before the change of the
flag, and wrong requests had time to come."""


def measure(system: System, flag: str, capability: str, fault_at: float | None) -> SwitchOff:
    """When the flag server stored the change, and when a proxy last chose the service."""
    time.sleep(SETTLE)
    entry = system.last_change(flag)
    decided = [
        cell["last_decided_at"]
        for cell in system.cells()
        if cell["capability"] == capability and cell["origin"] == "new"
    ]
    return SwitchOff(
        what=flag,
        capability=capability,
        who=entry["member"]["email"],
        changed_at=entry["date"] / 1000,
        last_wrong_at=max(decided, default=0.0),
        fault_at=fault_at,
    )
