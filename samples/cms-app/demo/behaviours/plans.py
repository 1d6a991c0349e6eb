"""The sample's plan, changed for one behaviour. Pure but for reading the sample's plan."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

SAMPLE = Path(__file__).parents[2]
Document = dict[str, Any]
Schedule = Sequence[Mapping[str, Any]]

NETWORK = "social"
"""The service that every program may post to."""
SCHEDULE: Schedule = (
    {"stage": "dualwrite", "hold": "2s"},
    {"stage": "shadow", "hold": "2s"},
    {"stage": "live", "share": "5%", "hold": "2s", "min_requests": 1},
    {"stage": "live", "share": "25%", "hold": "4s", "min_requests": 5},
    {"stage": "live", "hold": "3s", "min_requests": 10},
    {"stage": "rampdown", "hold": "2s", "min_requests": 5},
    {"stage": "complete", "hold": "2s", "min_requests": 5},
)
"""Twenty seconds of holds where nothing is to be measured closely."""
LOOSE: Mapping[str, Any] = {
    "error_rate": {"max_increase": "2%"},
    "latency": {"p99": {"max_ratio": 4, "min_increase": "500ms"}},
}
"""Limits that a busy machine keeps by itself."""


def sample() -> Document:
    """The sample's own plan."""
    document: Document = yaml.safe_load((SAMPLE / "migration.yaml").read_text())
    return document


def variant(plan: Document, capabilities: Mapping[str, Mapping[str, Any]]) -> Document:
    """`plan` on free ports, with these of its capabilities alone and the services that they need;
    each is given with the settings that replace its own."""
    document = copy.deepcopy(plan)
    spec = document["spec"]
    needed = {r["service"] for name in capabilities for r in spec["capabilities"][name]["routes"]}
    spec["services"] = {
        name: each for name, each in spec["services"].items() if name in needed | {NETWORK}
    }
    followed = spec["monolith"]["workload"]["env"]
    followed["CMS_SERVICES"] = " ".join(
        pair for pair in followed["CMS_SERVICES"].split() if pair.partition("=")[0] in needed
    )
    spec["flags"]["port"] = spec["proxy"]["port"] = 0
    for workload in (spec["monolith"]["workload"], *spec["services"].values()):
        workload["cwd"] = str(SAMPLE)
        workload["port"] = 0
    spec["capabilities"] = {
        name: {**spec["capabilities"][name], **_plain(changes)}
        for name, changes in capabilities.items()
    }
    return document


def _plain(settings: Mapping[str, Any]) -> Document:
    """Copied, so that YAML has no anchors: a plan that people may read."""
    plain = {name: copy.deepcopy(value) for name, value in settings.items()}
    if "schedule" in plain:
        plain["schedule"] = [dict(step) for step in plain["schedule"]]
    return plain
