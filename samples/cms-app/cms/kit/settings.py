"""A program's settings, all from the environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    name: str
    """Of this program: `monolith`, `articles`, …"""
    port: int
    data: Path
    session_secret: str
    internal_token: str
    fault_injection: bool
    gateway: str
    monolith: str
    """Origin; empty in the monolith."""
    services: Mapping[str, str]
    """Origins by name; empty in services."""
    social: str
    sdk_key: str
    base_uri: str
    stream_uri: str
    events_uri: str


def from_environment(name: str, environment: Mapping[str, str]) -> Settings:
    """Raises SystemExit that names every variable that is missing."""
    missing = [
        variable
        for variable in ("PORT", "DATA_DIR", "CMS_SESSION_SECRET", "CMS_INTERNAL_TOKEN")
        if not environment.get(variable)
    ]
    if missing:
        raise SystemExit(f"error: the environment lacks {', '.join(missing)}")
    services = (pair.partition("=") for pair in environment.get("CMS_SERVICES", "").split())
    return Settings(
        name=name,
        port=int(environment["PORT"]),
        data=Path(environment["DATA_DIR"]),
        session_secret=environment["CMS_SESSION_SECRET"],
        internal_token=environment["CMS_INTERNAL_TOKEN"],
        fault_injection=environment.get("CMS_FAULT_INJECTION") == "1",
        gateway=environment.get("GATEWAY_URL", ""),
        monolith=environment.get("CMS_MONOLITH", ""),
        services={service: origin for service, _, origin in services},
        social=environment.get("CMS_SOCIAL", ""),
        sdk_key=environment.get("LAUNCHDARKLY_SDK_KEY", ""),
        base_uri=environment.get("LAUNCHDARKLY_BASE_URI", ""),
        stream_uri=environment.get("LAUNCHDARKLY_STREAM_URI", ""),
        events_uri=environment.get("LAUNCHDARKLY_EVENTS_URI", ""),
    )
